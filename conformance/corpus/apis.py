"""Which API names a case file may use.

Case files arrive in pull requests, so a name is judged by reading it, before any framework is
imported: it must be one public word in a namespace of tensor mathematics, and not a word that
reaches beyond tensors (files, processes, compilers, global settings).
"""

from __future__ import annotations

NAMESPACES = frozenset(
    [
        "torch",
        "torch.Tensor",
        "torch.nn",
        "torch.nn.functional",
        "torch.nn.init",
        "torch.nn.utils",
        "torch.nn.utils.rnn",
        "torch.optim",
        "torch.optim.lr_scheduler",
        "torch.linalg",
        "torch.special",
        "torch.fft",
        "torch.autograd",
        "torch.distributions.laplace",
        "torch.distributions.laplace.Laplace",
        "mindspore",
        "mindspore.Tensor",
        "mindspore.ops",
        "mindspore.nn",
        "mindspore.mint",
        "mindspore.mint.nn",
        "mindspore.mint.nn.functional",
        "mindspore.mint.linalg",
        "mindspore.mint.special",
        "mindspore.mint.optim",
        "mindspore.mint.fft",
        "mindspore.numpy",
        "mindspore.scipy.linalg",
        "mindspore.common.initializer",
        "mindspore.experimental.optim",
        "mindspore.experimental.optim.lr_scheduler",
    ]
)
DENIED = frozenset(
    [
        "load",
        "save",
        "save_mindir",
        "load_mindir",
        "load_checkpoint",
        "save_checkpoint",
        "load_checkpoint_async",
        "load_param_into_net",
        "async_ckpt_thread_status",
        "export",
        "load_obf_params_into_net",
        "obfuscate_model",
        "ckpt_to_safetensors",
        "safetensors_to_ckpt",
        "unified_safetensors",
        "hub",
        "compile",
        "jit",
        "script",
        "import_ir_module",
        "from_file",
        "fromfile",
        "tofile",
        "dump",
        "set_context",
        "context",
        "set_device",
        "set_default_dtype",
        "set_default_device",
        "set_default_tensor_type",
        "set_num_threads",
        "set_num_interop_threads",
        "set_printoptions",
        "set_auto_parallel_context",
        "reset_auto_parallel_context",
        "set_algo_parameters",
        "set_dump",
        "set_recursion_limit",
        "set_deterministic",
        "use_deterministic_algorithms",
        "set_rng_state",
        "seed",
        "initial_seed",
        "manual_seed",
        "set_seed",
        "run_check",
        "Custom",
        "CustomOpBuilder",
        "CustomRegOp",
        "TBERegOp",
        "AiCPURegOp",
        "DataType",
        "PyFunc",
        "Print",
        "print_",
        "tensordump",
        "TensorDump",
        "from_dlpack",
        "to_dlpack",
        "frombuffer",
        "as_strided_",
        "set_",
        "share_memory_",
        "register_hook",
        "storage",
        "untyped_storage",
        "data_ptr",
        "resize_",
        "init_process_group",
        "Model",
        "Profiler",
        "classes",
        "ops_loader",
    ]
)


def refused(api: str) -> str | None:
    """Return why a case file may not name `api`, or None when it may."""
    namespace, _, name = api.rpartition(".")
    if private := [step for step in api.split(".") if step.startswith("_")]:
        return f"{api!r} is not public: {private[0]!r}"
    if namespace not in NAMESPACES:
        return f"{api!r} is refused: {namespace or api!r} is not a namespace of tensor operations"
    if name in DENIED:
        return f"{api!r} is refused: {name!r} reaches beyond tensors"
    return None
