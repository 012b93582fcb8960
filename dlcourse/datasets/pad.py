"""A sheet of paper in the notebook: draw a digit with mouse, pen or finger, take its strokes."""

# Handlers stand in attributes and find their neighbours from `this`: no script, no ids, so any
# number of pads works on one page, in JupyterLab and wherever else HTML output is shown.
_HTML = """\
<div class="dl-pad" style="display: inline-flex; flex-direction: column; gap: 6px">
  <canvas width="280" height="280" role="img" aria-label="Drawing pad: draw one digit here"
    style="background: var(--dl-paper, #ffffff); color: var(--dl-ink, #1f2328);
           border: 1px solid var(--dl-muted, #6e7781); touch-action: none; cursor: crosshair"
    onpointerdown="
      const text = this.parentElement.querySelector('textarea');
      this.setPointerCapture(event.pointerId);
      this.strokes = text.value ? JSON.parse(text.value) : [];
      this.strokes.push([]);
      this.onpointermove(event);"
    onpointermove="
      if (!event.buttons || !this.strokes) return;
      const stroke = this.strokes.at(-1), from = stroke.at(-1);
      const to = [Math.round(event.offsetX), Math.round(event.offsetY)];
      if (from && from[0] === to[0] && from[1] === to[1]) return;
      stroke.push(to);
      const pen = this.getContext('2d');
      pen.lineWidth = 24; pen.lineCap = 'round'; pen.strokeStyle = getComputedStyle(this).color;
      pen.beginPath(); pen.moveTo(...(from || to)); pen.lineTo(...to); pen.stroke();
      this.parentElement.querySelector('textarea').value = JSON.stringify(this.strokes);"></canvas>
  <textarea readonly rows="3" aria-label="The strokes, as text to paste into a cell"
    onfocus="this.select()" style="width: 280px; box-sizing: border-box"></textarea>
  <button type="button" onclick="
      const sheet = this.parentElement.querySelector('canvas');
      sheet.getContext('2d').clearRect(0, 0, sheet.width, sheet.height);
      this.parentElement.querySelector('textarea').value = '';">New sheet</button>
</div>
"""


class DrawingPad:
    """Shows a drawing pad as the value of a cell; below it stand the strokes as text.

    Click the text, copy it, and give it to `strokes_to_image` as a string:

        strokes_to_image("[[[20,30],[80,30],[40,120]]]")
    """

    def _repr_html_(self) -> str:
        return _HTML

    def __repr__(self) -> str:
        return "DrawingPad(): shown by JupyterLab and other notebooks that show HTML"
