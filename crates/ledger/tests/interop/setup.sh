#!/bin/sh
# Makes the Python environment in which foreign programs check a log and ask a witness: aics-tlog 0.2.1,
# aics-witness 0.1.0 and cryptography 50. Both aics packages ask for Python 3.12 and run under 3.11 as well,
# hence --ignore-requires-python.
set -eu
where="${1:-$HOME/.cache/clarence/interop}"
python3 -m venv "$where"
"$where/bin/pip" install --quiet --disable-pip-version-check 'cryptography==50.0.2'
"$where/bin/pip" install --quiet --disable-pip-version-check --no-deps --ignore-requires-python 'aics-tlog==0.2.1' 'aics-witness==0.1.0'
"$where/bin/python" -c 'import aics_tlog, aics_witness; from cryptography.hazmat.primitives.asymmetric import mldsa'
