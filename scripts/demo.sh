#!/usr/bin/env bash
# The main job on real images in a few minutes: cfg/fashion.cfg pruned to half of its FLOPs by the
# handcrafted policies, greedy, a random search and AMC, one table at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/get_fashion_mnist.sh
rm -rf amc-out/demo
scripts/compare_policies.sh fashion amc-out/demo policies='base uniform shallow deep greedy random amc' \
    plans=200 limit=1000 epochs=1 rate=0.01
echo
echo 'cfg/fashion.cfg on Fashion-MNIST at 50% of the FLOPs:'
echo
scripts/policy_table.sh amc-out/demo/results.csv
echo
echo 'AMC kept, of each layer:'
sed -n '/^layer/,/^MACs/p' amc-out/demo/amc-1/log
