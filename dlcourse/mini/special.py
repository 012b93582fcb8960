"""Special functions under the names that torch.special has for them."""

from dlcourse.mini.ops import FREE, FUNCTIONS

expit = FUNCTIONS["sigmoid"]
gammaln = FUNCTIONS["lgamma"]
psi = digamma = FUNCTIONS["digamma"]
polygamma = FREE["polygamma"]
erf, erfc, erfinv = (FUNCTIONS[name] for name in ("erf", "erfc", "erfinv"))
exp2, expm1, log1p = (FUNCTIONS[name] for name in ("exp2", "expm1", "log1p"))
logit, xlogy, sinc = (FUNCTIONS[name] for name in ("logit", "xlogy", "sinc"))
logsumexp, softmax = FUNCTIONS["logsumexp"], FUNCTIONS["softmax"]
log_softmax = FUNCTIONS["log_softmax"]
