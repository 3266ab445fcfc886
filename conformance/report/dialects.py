"""How each framework spells what every case needs: tensors, dtypes, state, gradients."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.report.literals import LINE, Expression

INDENT = "    "


def call(target: str, arguments: Sequence[str]) -> str:
    """Return ``target(arguments)``, one argument a line when it does not fit on one."""
    line = f"{target}({', '.join(arguments)})"
    if len(line) <= LINE and "\n" not in line:
        return line
    if len(arguments) == 1 and "\n" in line:
        return f"{target}({_shift(arguments[0], INDENT)})"
    inner = "".join(f"{INDENT}{_shift(a, INDENT)},\n" for a in arguments)
    return f"{target}(\n{inner})"


def _shift(text: str, indent: str) -> str:
    return text.replace("\n", "\n" + indent)


class Dialect:
    """One framework's spelling.  Also the dialect of the reference, which takes arrays only."""

    root = "numpy"
    module = "module"

    def api(self, name: str) -> str:
        """Return how a program writes the API `name`."""
        return name

    def dtype(self, name: str) -> str:
        """Return the dtype called `name`, as an option."""
        return repr(name)

    def tensor(self, given: Expression, dtype: str) -> str:
        """Return the array of `given`, cast to `dtype`."""
        name = {"bfloat16": "ml_dtypes.bfloat16", "bool": "np.bool_"}.get(dtype, f"np.{dtype}")
        if given.literal:
            return call("np.array", [given.text, f"dtype={name}"])
        return f"{given.atom}.astype({name})"

    def transposed(self, tensor: str) -> str:
        """Return `tensor` with the strides of its last two axes swapped; NumPy keeps its own."""
        return tensor

    def parameter(self, tensor: str, name: str) -> str:  # noqa: ARG002
        """Return `tensor` as a trainable parameter."""
        return tensor

    def seed(self, seed: int) -> str:
        """Return the line that seeds the default generator."""
        raise NotImplementedError

    def state(self, module: str, slots: dict[str, str], dtype: str) -> list[str]:
        """Return the lines that give `module` its state (`slots`: its name -> variable)."""
        raise NotImplementedError

    def mode(self, module: str, training: bool) -> list[str]:
        """Return the lines that leave the framework's default mode, if that is needed."""
        raise NotImplementedError

    def trajectory(self, optimizer: str) -> list[str]:
        """Return the lines that apply `grads` to `params` one by one."""
        raise NotImplementedError

    def schedule(self, target: str, arguments: list[str]) -> list[str]:
        """Return the lines that read `steps` rates of a schedule that starts at `base_lr`."""
        raise NotImplementedError

    def gradients(
        self, wanted: dict[str, str], slots: dict[str, str], forward: list[str]
    ) -> list[str]:
        """Return the lines that run `forward` and differentiate it.

        `wanted` maps canonical names to variables, `slots` those that are state to their own names.
        """
        raise NotImplementedError


class NumPy(Dialect):
    """NumPy's own API, not the reference."""

    def api(self, name: str) -> str:
        """``np.add``."""
        return f"np.{name.partition('.')[2]}"

    def transposed(self, tensor: str) -> str:
        """``swapaxes``, there and back."""
        return f"np.ascontiguousarray({tensor}.swapaxes(-1, -2)).swapaxes(-1, -2)"


COTANGENT = '''\
def cotangent(shape, index):
    """The same multiples of 1/8 for every framework."""
    size = np.random.RandomState(20_000 + index).randint(1, 17, size=shape) / 8
    return size * np.random.RandomState(30_000 + index).choice([-1.0, 1.0], size=shape)

'''
TORCH_LEAVES = '''
def leaves(value):
    """The tensors of nested tuples, left to right."""
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]

'''
MINDSPORE_COTANGENTS = '''
def cotangents(value, number):
    """Cotangents nested as the outputs are; zeros for what has no derivative."""
    if isinstance(value, (tuple, list)):
        return tuple(cotangents(item, number) for item in value)
    index = next(number)
    if not (value.is_floating_point() or value.is_complex()):
        return mindspore.ops.zeros_like(value)
    return mindspore.Tensor(cotangent(value.shape, index), mindspore.float32).astype(value.dtype)

'''


class Torch(Dialect):
    """PyTorch."""

    root = "torch"

    def dtype(self, name: str) -> str:
        """``torch.<name>``."""
        return f"torch.{name}"

    def tensor(self, given: Expression, dtype: str) -> str:
        """``torch.tensor``; NumPy casts to float16, because torch would round twice."""
        if dtype == "float16" and not given.literal:
            return f"torch.tensor({given.atom}.astype(np.float16))"
        return call("torch.tensor", [given.text, f"dtype={self.dtype(dtype)}"])

    def transposed(self, tensor: str) -> str:
        """``.mT``."""
        return f"{tensor}.mT.contiguous().mT"

    def parameter(self, tensor: str, name: str) -> str:  # noqa: ARG002
        """``torch.nn.Parameter``."""
        return f"torch.nn.Parameter({tensor})"

    def seed(self, seed: int) -> str:
        """``torch.manual_seed``."""
        return f"torch.manual_seed({seed})"

    def state(self, module: str, slots: dict[str, str], dtype: str) -> list[str]:
        """``load_state_dict``, after the module has the dtype of its state."""
        cast = [] if dtype == "float32" else [f"{module}.to({self.dtype(dtype)})"]
        entries = ", ".join(f"{name!r}: {variable}" for name, variable in slots.items())
        return [*cast, call(f"{module}.load_state_dict", [f"{{{entries}}}", "strict=False"])]

    def mode(self, module: str, training: bool) -> list[str]:
        """A new module trains."""
        return [] if training else [f"{module}.eval()"]

    def trajectory(self, optimizer: str) -> list[str]:
        """``.grad``, then ``step()``."""
        return [
            "params = torch.nn.Parameter(params)",
            f"optimizer = {optimizer}",
            "trajectory = []",
            "for grad in grads:",
            f"{INDENT}params.grad = grad",
            f"{INDENT}optimizer.step()",
            f"{INDENT}trajectory.append(params.detach().clone())",
            "output = torch.stack(trajectory)",
        ]

    def schedule(self, target: str, arguments: list[str]) -> list[str]:
        """The rate of an SGD optimizer before each step."""
        return [
            "parameter = torch.nn.Parameter(torch.zeros(1))",
            "optimizer = torch.optim.SGD([parameter], lr=base_lr)",
            f"schedule = {call(target, ['optimizer', *arguments])}",
            "output = []",
            "for _ in range(steps):",
            f"{INDENT}output.append(optimizer.param_groups[0]['lr'])",
            f"{INDENT}optimizer.step()",
            f"{INDENT}schedule.step()",
        ]

    def gradients(
        self, wanted: dict[str, str], slots: dict[str, str], forward: list[str]
    ) -> list[str]:
        """``torch.autograd.grad``; a leaf is cloned where the call writes into it."""
        by = [self.slot("module", slots[n]) if n in slots else v for n, v in wanted.items()]
        return [
            *forward,
            "",
            "",
            *COTANGENT.splitlines(),
            *TORCH_LEAVES.splitlines(),
            "",
            "outputs = [out for out in leaves(output) if out.requires_grad]",
            "cotangents = [",
            f"{INDENT}torch.tensor(cotangent(out.shape, index), dtype=out.dtype)",
            f"{INDENT}for index, out in enumerate(leaves(output))",
            f"{INDENT}if out.requires_grad",
            "]",
            call(
                "gradients = torch.autograd.grad",
                ["outputs", f"[{', '.join(by)}]", "cotangents", "allow_unused=True"],
            ),
        ]

    @staticmethod
    def slot(module: str, name: str) -> str:
        """Attribute access, also of a nested module."""
        return f"{module}.get_parameter({name!r})" if "." in name else f"{module}.{name}"


class MindSpore(Dialect):
    """MindSpore."""

    root = "mindspore"
    module = "cell"

    def dtype(self, name: str) -> str:
        """``mindspore.<name>``; the Boolean one is ``bool_``."""
        return "mindspore.bool_" if name == "bool" else f"mindspore.{name}"

    def tensor(self, given: Expression, dtype: str) -> str:
        """``mindspore.Tensor``."""
        if dtype == "float16" and not given.literal:
            return f"mindspore.Tensor({given.atom}.astype(np.float16))"
        return call("mindspore.Tensor", [given.text, self.dtype(dtype)])

    def transposed(self, tensor: str) -> str:
        """``swapaxes``."""
        return f"{tensor}.swapaxes(-1, -2).contiguous().swapaxes(-1, -2)"

    def parameter(self, tensor: str, name: str) -> str:
        """``mindspore.Parameter``, which has a name."""
        return call("mindspore.Parameter", [tensor, f"name={name!r}"])

    def seed(self, seed: int) -> str:
        """Two generators: each drives part of the operators."""
        return f"mindspore.set_seed({seed})\nmindspore.manual_seed({seed})"

    def state(self, module: str, slots: dict[str, str], dtype: str) -> list[str]:
        """``set_data``, after the cell has the dtype of its state."""
        cast = [
            f"for parameter in {module}.get_parameters():",
            f"{INDENT}parameter.set_dtype({self.dtype(dtype)})",
        ]
        return [
            *(cast if dtype != "float32" else []),
            f"parameters = dict({module}.parameters_and_names())",
            *(f"parameters[{name!r}].set_data({held})" for name, held in slots.items()),
        ]

    def mode(self, module: str, training: bool) -> list[str]:
        """A new cell does not train."""
        return [f"{module}.set_train()"] if training else []

    def trajectory(self, optimizer: str) -> list[str]:
        """An optimizer is called with the gradients."""
        return [
            "params = mindspore.Parameter(params, name='parameter')",
            f"optimizer = {optimizer}",
            "trajectory = []",
            "for grad in grads:",
            f"{INDENT}optimizer((grad.copy(),))",
            f"{INDENT}trajectory.append(params.asnumpy().copy())",
            "output = np.stack(trajectory)",
        ]

    def schedule(self, target: str, arguments: list[str]) -> list[str]:
        """The rate of an experimental SGD optimizer before each step."""
        return [
            "parameter = mindspore.Parameter(mindspore.ops.zeros(1), name='parameter')",
            "optimizer = mindspore.experimental.optim.SGD([parameter], lr=base_lr)",
            f"schedule = {call(target, ['optimizer', *arguments])}",
            "rates = []",
            "for _ in range(steps):",
            f"{INDENT}rates.append(optimizer.param_groups[0]['lr'].asnumpy().copy())",
            f"{INDENT}schedule.step()",
            "output = np.stack(rates)",
        ]

    def gradients(
        self, wanted: dict[str, str], slots: dict[str, str], forward: list[str]
    ) -> list[str]:
        """``GradOperation`` of the call as a function of the inputs and, by list, of the state."""
        inputs = [v for n, v in wanted.items() if n not in slots]
        weights = [f"parameters[{name!r}]" for n, name in slots.items() if n in wanted]
        options = ["get_all=True"] * bool(inputs) + ["get_by_list=True"] * bool(weights)
        by_list = ["weights"] if weights else []
        return [
            "",
            "",
            *COTANGENT.splitlines(),
            *MINDSPORE_COTANGENTS.splitlines(),
            "",
            f"def forward({', '.join(inputs)}):",
            *(f"{INDENT}{line}" if line else "" for text in forward for line in text.split("\n")),
            f"{INDENT}return output",
            "",
            "",
            f"output = forward({', '.join(inputs)})",
            "sens = cotangents(output, itertools.count())",
            *([f"weights = mindspore.ParameterTuple([{', '.join(weights)}])"] if weights else []),
            call("differentiate = mindspore.ops.GradOperation", [*options, "sens_param=True"]),
            f"gradients = {call(call('differentiate', ['forward', *by_list]), [*inputs, 'sens'])}",
        ]


NUMPY = NumPy()
DIALECTS: dict[str, Dialect] = {"torch": Torch(), "mindspore": MindSpore(), "numpy": Dialect()}
