# change.py IN OUT CHANGE...: a copy of a safetensors folder in BF16 with changed weights.
# nan:TENSOR:INDEX  inf:TENSOR:INDEX  huge:TENSOR:INDEX (-3e5)  times:TENSOR:N (all by 2^N)  cut:N (inner width of the MLP)
import json, os, shutil, struct, sys

def read(path):
    with open(path, 'rb') as f:
        n = struct.unpack('<Q', f.read(8))[0]
        head = json.loads(f.read(n))
        data = f.read()
    meta = head.pop('__metadata__', None)
    part = lambda v: bytearray(data[v['data_offsets'][0]:v['data_offsets'][1]])
    return {k: (v['dtype'], v['shape'], part(v)) for k, v in head.items()}, meta

def write(path, tensors, meta):
    head, at = {'__metadata__': meta} if meta else {}, 0
    for k, (dtype, shape, data) in tensors.items():
        head[k] = {'dtype': dtype, 'shape': shape, 'data_offsets': [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)

def times(data, n):  # the exponent is moved; what would leave it stays zero
    values = list(struct.unpack('<%dH' % (len(data) // 2), data))
    for i, v in enumerate(values):
        e = (v >> 7 & 255) + n
        values[i] = (v & 0x807f) | e << 7 if v & 0x7f80 and 0 < e < 255 else v & 0x8000
    data[:] = struct.pack('<%dH' % len(values), *values)

source, out, changes = sys.argv[1], sys.argv[2], sys.argv[3:]
os.makedirs(out, exist_ok=True)
for name in os.listdir(source):
    if name.endswith('.json'):
        shutil.copy(os.path.join(source, name), out)
tensors, meta = read(os.path.join(source, 'model.safetensors'))
for change in changes:
    what, name, *more = change.split(':')
    if what == 'cut':
        n = int(name)
        for k, (dtype, shape, data) in tensors.items():
            if 'gate_proj' in k or 'up_proj' in k:
                tensors[k] = (dtype, [n, shape[1]], data[:2 * n * shape[1]])
            elif 'down_proj' in k:
                rows = (data[2 * r * shape[1]:2 * (r * shape[1] + n)] for r in range(shape[0]))
                tensors[k] = (dtype, [shape[0], n], bytearray().join(rows))
        config = json.load(open(os.path.join(out, 'config.json')))
        config['intermediate_size'] = n
        json.dump(config, open(os.path.join(out, 'config.json'), 'w'))
    elif what == 'times':
        times(tensors[name][2], int(more[0]))
    else:
        struct.pack_into('<H', tensors[name][2], 2 * int(more[0]), {'nan': 0x7fc0, 'inf': 0x7f80, 'huge': 0xc892}[what])
write(os.path.join(out, 'model.safetensors'), tensors, meta)
