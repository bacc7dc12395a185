"""PyTorch in eager mode: training steps and attention, answering on its standard output what it is asked in lines of JSON on its standard input.

The words are those of `protocol.ts`. What `prepare` asks for comes with the numbers that go in, as bytes in base64; results go back so too.
"""

import base64
import gc
import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F

# The least that is worth a look at the clock, in seconds.
LEAST = 2e-3


def decode(array):
    """A tensor from its shape, its type and its bytes."""
    values = torch.frombuffer(bytearray(base64.b64decode(array["bytes"])), dtype=getattr(torch, array["type"]))
    return values.reshape(array["shape"])


def encode(tensor):
    return base64.b64encode(tensor.detach().contiguous().float().numpy().tobytes()).decode()


def mlp(p, x, work):
    """x: (N, inputs)"""
    return F.linear(F.relu(F.linear(x, p["fc1.weight"], p["fc1.bias"])), p["fc2.weight"], p["fc2.bias"])


def cnn(p, x, work):
    """x: (N, 1, S, S)"""
    for name in ("conv1", "conv2"):
        x = F.max_pool2d(F.relu(F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding=1)), 2)
    return F.linear(x.flatten(1), p["fc.weight"], p["fc.bias"])


def gpt(p, index, work):
    """index: (B, T). Result: (B·T, V)."""
    channels, heads = work["config"]["channels"], work["config"]["heads"]

    def norm(name, x):
        return F.layer_norm(x, (channels,), p[f"{name}.weight"], p[f"{name}.bias"])

    def dense(name, x):
        return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])

    x = F.embedding(index, p["tokens.weight"]) + p["positions.weight"]
    batch, positions, _ = x.shape
    for layer in range(work["config"]["layers"]):
        block = f"blocks.{layer}"
        parts = dense(f"{block}.attention.qkv", norm(f"{block}.norm1", x)).split(channels, dim=2)
        q, k, v = (part.view(batch, positions, heads, channels // heads).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, positions, channels)
        x = x + dense(f"{block}.attention.projection", y)
        x = x + dense(f"{block}.contract", F.gelu(dense(f"{block}.expand", norm(f"{block}.norm2", x)), approximate="tanh"))
    return F.linear(norm("norm", x), p["head.weight"]).flatten(0, 1)


NETWORKS = {"mlp": mlp, "cnn": cnn, "gpt": gpt}


class Training:
    """A batch goes in, the loss comes out as a number, the parameters have moved."""

    def __init__(self, work, inputs):
        self.work = work
        self.parameters = {each["name"]: decode(each).clone().requires_grad_() for each in inputs["parameters"]}
        self.batches = [(decode(batch["x"]), decode(batch["y"]).long().flatten()) for batch in inputs["batches"]]
        adam = inputs["adam"]
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=adam["rate"],
            betas=(adam["beta1"], adam["beta2"]),
            eps=adam["epsilon"],
            weight_decay=adam["weightDecay"],
            fused=True,
        )
        self.losses = []

    def run(self):
        x, y = self.batches[len(self.losses) % len(self.batches)]
        loss = F.cross_entropy(NETWORKS[self.work["model"]](self.parameters, x, self.work), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())

    def outputs(self):
        return [torch.tensor(self.losses)]


class Attention:
    """Its result, and the gradients of queries, keys and values."""

    def __init__(self, work, inputs):
        self.operands = [decode(each).clone().requires_grad_() for each in inputs["operands"]]
        self.upstream = decode(inputs["upstream"])
        self.last = []

    def run(self):
        y = F.scaled_dot_product_attention(*self.operands)
        self.last = [y, *torch.autograd.grad(y, self.operands, self.upstream)]

    def outputs(self):
        return self.last


KINDS = {"training": Training, "attention": Attention}


class Worker:
    """Makes a task ready, runs it, and times itself, as `worker.ts` does."""

    def __init__(self):
        self.task = None
        self.estimate = 0.0

    def prepare(self, request):
        self.task = KINDS[request["work"]["kind"]](request["work"], request["inputs"])
        times = []
        while len(times) < request["runs"] and (not times or 1e3 * times[-1] <= request["enough"]):
            times.append(self.measure(1))
        outputs = [encode(each) for each in self.task.outputs()]
        return {"kind": "prepared", "outputs": outputs, "times": [1e3 * each for each in times], "notes": {}}

    def measure(self, together):
        """Seconds of a run, of several in a row."""
        start = time.perf_counter()
        for _ in range(together):
            self.task.run()
        self.estimate = (time.perf_counter() - start) / together
        return self.estimate

    def times(self, milliseconds):
        gc.collect()
        times, left = [], milliseconds / 1e3
        while left > 0 or not times:
            together = max(1, math.ceil(LEAST / max(self.estimate, 1e-7)))
            times.append(1e3 * self.measure(together))
            left -= self.estimate * together
        return times

    def answer(self, request):
        if request["kind"] == "prepare":
            return self.prepare(request)
        if request["kind"] == "time":
            return {"kind": "times", "times": self.times(request["milliseconds"])}
        if request["kind"] == "warmUp":
            self.times(request["milliseconds"])
            return {"kind": "done", "notes": {}}
        self.task = None
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"kind": "done", "notes": {"peakResidentBytes": peak}}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    worker = Worker()
    for line in sys.stdin:
        try:
            reply = worker.answer(json.loads(line))
        except Exception as error:
            reply = {"kind": "failed", "message": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


main()
