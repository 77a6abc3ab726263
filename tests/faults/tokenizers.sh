#!/bin/sh
# Each setting of a tokenizer is honoured, both ways and through GGUF, or refused by its name. usage: tokenizers.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
python3 "$root/tests/peers/tokenizer_settings.py" "$precis" "$work/made" || failed=1
exit $failed
