"""Names of torch that mini lacks on purpose, and what it has instead: for the error."""

_WHY = {
    "sparse sparse_coo_tensor sparse_csr_tensor sparse_compressed_tensor spmm":
        "its tensors are dense: write the values into zeros(...), and multiply with @",
    "complex complex64 complex128 cfloat cdouble polar view_as_complex view_as_real":
        "it has no complex numbers: compute with the real and the imaginary part",
    "fft stft istft": "it has no Fourier transforms: those of numpy.fft take arrays, x.numpy()",
    "onnx export fx package library":
        "its models are not translated: save(model.state_dict(), path) keeps the weights",
    "hub": "it downloads nothing: load(path) reads the weights that torch.save wrote",
    "multiprocessing":
        "processes share no tensor here: those of Python's multiprocessing get a copy",
    "profiler": "Python's own cProfile tells where the time goes",
    "quantization ao quantize_per_tensor": "its numbers are floats of 64, 32 or 16 bits",
    "_dynamo _inductor": "it has no compiler: compile(model) is the model itself",
}  # fmt: skip
ABSENT = {name: why for names, why in _WHY.items() for name in names.split()}
