"""all-MiniLM-L6-v2 as an archive of torch.export, and STS-B's sentences as arrays of tokens.
usage: minilm.py MODEL.zip STSB_FOLDER OUT (in environment-torch)"""
import csv
import os
import sys
import zipfile

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

model, sts, out = sys.argv[1:]
os.makedirs(out)
zipfile.ZipFile(model).extractall(out)
bert = BertModel.from_pretrained(out, attn_implementation="eager").eval()
words = Tokenizer.from_file(os.path.join(out, "tokenizer.json"))
words.no_truncation()
words.enable_padding(length=None)


class Tokens(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


for kind, name, pairs in (("dev", "calib", 64), ("test", "test", None)):
    with open(os.path.join(sts, f"stsb-en-{kind}.csv"), encoding="utf8") as f:
        rows = list(csv.reader(f))[:pairs]
    done = words.encode_batch([s for a, b, _ in rows for s in (a, b)])
    ids, mask = (np.array([getattr(d, k) for d in done], np.int64) for k in ("ids", "attention_mask"))
    np.savez(os.path.join(out, name + ".npz"), input_ids=ids, attention_mask=mask)
    np.save(os.path.join(out, name + ".npy"), np.array([float(s) for *_, s in rows], np.float32))
b, t = torch.export.Dim("b", min=2), torch.export.Dim("t", min=8, max=512)
example = torch.from_numpy(ids[:4]), torch.from_numpy(mask[:4])
torch.export.save(torch.export.export(Tokens(), example, dynamic_shapes=({0: b, 1: t}, {0: b, 1: t})),
                  os.path.join(out, "minilm.pt2"))
