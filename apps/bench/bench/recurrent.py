"""The nets of `recurrent.ts` in PyTorch: a step for each line on standard input, its milliseconds of processor time on standard output."""

import math
import sys
import time

import torch

BATCH, INPUTS, UNITS = 32, 128, 128
net, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
cell, _, variant = net.partition(" ")
gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[cell]
bound = 1 / math.sqrt(UNITS)


def parameter(*shape):
    return torch.empty(*shape).uniform_(-bound, bound).requires_grad_()


weight, recurrent, bias = parameter(INPUTS, gates * UNITS), parameter(UNITS, gates * UNITS), parameter(gates * UNITS)
x = torch.empty(BATCH, steps, INPUTS).uniform_(-1, 1).requires_grad_()


def advance(projected, state):
    h = state[0]
    recurred = h @ recurrent
    if cell == "RNN":
        return ((projected + recurred).tanh(),)
    if cell == "GRU":
        (xr, xz, xn), (hr, hz, hn) = projected.chunk(3, 1), recurred.chunk(3, 1)
        r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
        n = (xn + r * hn).tanh()
        return (n + z * (h - n),)
    i, f, g, o = (projected + recurred).chunk(4, 1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def step():
    state = tuple(torch.zeros(BATCH, UNITS) for _ in range(2))
    outputs = []
    at_once = variant == "projected at once"
    for part in (x @ weight + bias if at_once else x).unbind(1):
        state = advance(part if at_once else part @ weight + bias, state)
        outputs.append(state[0])
    if variant == "with a loss per step":
        loss = sum(output.square().mean() for output in outputs) / steps
    elif variant == "with the last output":
        loss = outputs[-1].square().mean()
    else:
        loss = torch.stack(outputs, 1).square().mean()
    loss.backward()
    value = loss.item()
    for each in (x, weight, recurrent, bias):
        each.grad = None
    return value


step()
for _ in sys.stdin:
    start = time.process_time()
    step()
    print(1000 * (time.process_time() - start), flush=True)
