/**
 * The record of a checkpoint: the part of the graph between its inputs and its result. The backward pass
 * differentiates a copy of that part, built on first use behind barriers, so that no optimisation merges the
 * two and no intermediate of the first is saved (Chen et al. 2016, "sublinear memory cost").
 */
import { node as build, copyNode, withGradient } from '@firsthand/graph';
import type { Node } from '@firsthand/graph';

interface CheckpointRecord {
  readonly inputs: readonly Node[];
  readonly value: Node;
  clone: Node | null;
}

const records = /* @__PURE__ */ new WeakMap<Node, CheckpointRecord>();
let barriers = 0;

/** A node with the value of `value`, whose gradient recomputes everything between `inputs` and `value`. */
export function recordCheckpoint(inputs: readonly Node[], value: Node): Node {
  const end = build('movement', { kind: 'reshape', shape: value.shape }, [value]);
  records.set(end, { inputs, value, clone: null });
  return end;
}

/** The recomputed copy of a checkpointed value; null for other nodes. */
export function checkpointedClone(node: Node): Node | null {
  if (node.op !== 'movement') return null;
  const record = records.get(node);
  if (record === undefined) return null;
  record.clone ??= withGradient(true, () => cloneBehindBarriers(record));
  return record.clone;
}

function cloneBehindBarriers({ inputs, value }: CheckpointRecord): Node {
  const id = ++barriers;
  const copies = new Map<Node, Node>(
    inputs.map((input) => [input, build('movement', { kind: 'barrier', id }, [input])]),
  );
  // A copy is made when another traversal first comes to its checkpoint: the marks on the nodes are that
  // traversal's.
  const path = [value];
  for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
    const missing =
      copies.has(node) || node.op === 'leaf' ? [] : node.inputs.filter((input) => !copies.has(input));
    if (missing.length > 0) {
      path.push(...missing);
      continue;
    }
    path.pop();
    if (!copies.has(node)) copies.set(node, node.op === 'leaf' ? node : copy(node, copies));
  }
  return copies.get(value)!;
}

function copy(node: Node, copies: Map<Node, Node>): Node {
  const inputs = node.inputs.map((input) => copies.get(input)!);
  return inputs.every((input, index) => input === node.inputs[index]) ? node : copyNode(node, inputs);
}
