"""torch's long sentences, word for word, so that a reader finds them by searching."""

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors "
    "after they have already been freed). Saved intermediate values of the graph are freed"
    " when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
    "to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)
CUSTOM_VIEW = (
    "Output {} of {} is a view and is being modified inplace. This view was created inside "
    "a custom Function (or because an input was returned as-is) and the autograd logic to "
    "handle view+inplace would override the custom backward associated with the custom "
    "Function, leading to incorrect gradients. This behavior is forbidden. You can fix "
    "this by cloning the output of the custom Function."
)
NO_GRAD_VIEW = (
    "A view was created in no_grad mode and is being modified inplace with grad mode "
    "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You "
    "can clarify your code by moving both the view and the inplace either both inside the "
    "no_grad block (if you don't want the inplace to be tracked) or both outside (if you "
    "want the inplace to be tracked)."
)
NO_GRAD_FN = "element {} of tensors does not require grad and does not have a grad_fn"
NOT_A_LEAF = (
    "you can only change requires_grad flags of leaf variables. If you want to use a "
    "computed variable in a subgraph that doesn't require differentiation use var_no_grad "
    "= var.detach()."
)
INFERENCE_REQUIRES_GRAD = (
    "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
)
INFERENCE_SAVED = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
    "inference mode in computation tracked by autograd. To work around this, you can make "
    "a clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` "
    "instead of `torch.inference_mode()`."
)
NOT_FLOATING_POINT = "Only Tensors of floating point and complex dtype can require gradients"
NO_GROUP = (
    "Default process group has not been initialized, please make sure to call init_process_group."
)


def refusing(names, kind, sentence):
    """{name: a function that raises this error, whatever it is called with} for each of names."""

    def function(*args, **kwargs):
        """Refused, with torch's error for a computer where there is none."""
        raise kind(sentence)

    return dict.fromkeys(names.split(), function)
