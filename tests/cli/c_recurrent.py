"""LSTM, GRU and RNN of every kind that C files have. usage: c_recurrent.py FOLDER: the nets, and NAME.txt: NAME=FILE of
each input, a line each; list.txt: their names"""
import os, random, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_files as o

folder = sys.argv[1]
rng = random.Random(17)
names = []


def noise(n, scale=1.0):
    return [scale * rng.gauss(0, 1) for _ in range(n)]


def ints(name, values):
    return o.tensor(name, 6, [len(values)], struct.pack(f"<{len(values)}i", *values))


def net(name, op, way="forward", steps=5, batch=1, width=7, hidden=19, states=(), outputs=None, lengths=None, peeps=False, feed=(), **attrs):
    """states: those that come as inputs; lengths: constant; feed: inputs beside x that are constants with numbers."""
    gates, ways = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], 2 if way == "bidirectional" else 1
    outputs = outputs or (["y", "h1", "c1"] if op == "LSTM" else ["y", "h1"])
    state = [ways, batch, hidden]
    inputs, given, constants = [o.port("x", o.F32, [steps, batch, width])], {"x": ([steps, batch, width], "<f4", noise(steps * batch * width))}, []
    constants += [o.floats("w", [ways, gates * hidden, width], noise(ways * gates * hidden * width, .4)),
                  o.floats("r", [ways, gates * hidden, hidden], noise(ways * gates * hidden * hidden, .3)),
                  o.floats("b", [ways, 2 * gates * hidden], noise(2 * ways * gates * hidden, .3))]
    operands = ["x", "w", "r", "b", "", "", "", ""]
    if lengths == "input":
        operands[4] = "n"
        inputs.append(o.port("n", o.I32, [batch]))
        given["n"] = ([batch], "<i4", [rng.randint(0, steps) for _ in range(batch)])
    elif lengths:
        operands[4] = "n"
        constants.append(ints("n", lengths))
    for at, s in ((5, "h0"), (6, "c0")):
        if s in states:
            operands[at] = s
            inputs.append(o.port(s, o.F32, state))
            given[s] = (state, "<f4", noise(ways * batch * hidden))
        elif s in feed:
            operands[at] = s
            constants.append(o.floats(s, state, noise(ways * batch * hidden)))
    if peeps:
        operands[7] = "p"
        constants.append(o.floats("p", [ways, 3 * hidden], noise(3 * ways * hidden, .5)))
    while not operands[-1]:
        operands.pop()
    shapes = {"y": [steps, ways, batch, hidden], "h1": state, "c1": state}
    all_outputs = [k if k in outputs else "" for k in ("y", "h1", "c1")][: 3 if op == "LSTM" else 2]
    node = o.node(op, operands, all_outputs, name="the net", hidden_size=hidden, direction=way, **attrs)
    data = o.model(o.graph([node], inputs, [o.port(k, o.F32, shapes[k]) for k in outputs], constants))
    with open(os.path.join(folder, name + ".onnx"), "wb") as f:
        f.write(data)
    with open(os.path.join(folder, name + ".txt"), "w") as t:
        for k, (shape, descr, values) in given.items():
            path = os.path.join(folder, f"{name}.{k}.npy")
            with open(path, "wb") as f:
                f.write(o.npy(values, shape, descr))
            t.write(f"{k}={path}\n")
    names.append(name)


os.makedirs(folder)
net("lstm", "LSTM")
net("lstm_states", "LSTM", steps=1, hidden=16, states=("h0", "c0"))
net("lstm_last", "LSTM", batch=2, outputs=["h1"])
net("lstm_cells", "LSTM", steps=3, outputs=["c1"], feed=("h0", "c0"))
net("lstm_both", "LSTM", "bidirectional", batch=3, states=("h0",), lengths=[5, 0, 2])
net("lstm_lengths", "LSTM", "reverse", batch=3, lengths="input", states=("c0",))
net("lstm_peeps", "LSTM", "reverse", peeps=True, clip=.7)
net("lstm_coupled", "LSTM", peeps=True, input_forget=1, states=("h0", "c0"))
net("lstm_others", "LSTM", activations=["HardSigmoid", "ScaledTanh", "Softsign"], activation_alpha=[.3, 1.2], activation_beta=[.4, .7])
net("gru", "GRU")
net("gru_linear", "GRU", states=("h0",), linear_before_reset=1)
net("gru_both", "GRU", "bidirectional", batch=2, linear_before_reset=1, lengths=[4, 5], clip=.9)
net("gru_back", "GRU", "reverse", batch=2, lengths="input", outputs=["h1"], feed=("h0",))
net("gru_others", "GRU", "bidirectional", activations=["Sigmoid", "Relu", "Affine", "LeakyRelu"], activation_alpha=[.5, .1], activation_beta=[.2])
net("rnn", "RNN", hidden=5)
net("rnn_both", "RNN", "bidirectional", batch=2, hidden=5, activations=["ThresholdedRelu", "Tanh"], activation_alpha=[.1], states=("h0",), outputs=["h1"])
net("no_elu", "RNN", hidden=5, activations=["Elu"])
with open(os.path.join(folder, "list.txt"), "w") as f:
    f.write(" ".join(n for n in names if not n.startswith("no_")))
