/**
 * Programs as text: one line per node in post-order, with its operation, inputs, attributes, dtype and shape;
 * then one line per effect, and one for the roots.
 */
import { formatShape } from '@firsthand/linalg';
import { titleOf } from './node.ts';
import { postOrder } from './traverse.ts';
import type { Node, Program } from './types.ts';

/**
 * The text of a program.
 * @example
 * ```ts
 * import { leaf, mul, printProgram, softmax } from '@firsthand/graph';
 * const spec = { shape: [2, 3], dtype: 'float32' } as const;
 * const x = leaf({ ...spec, role: 'argument', name: 'x', host: null, sample: null }, null);
 * const text = printProgram({ args: [x], effects: [], roots: [mul(softmax(x), 2)] });
 * console.log(text.split('\n')[1]); // %1 = softmax(%0) {axis: 1}
 * ```
 */
export function printProgram({ args, effects, roots }: Program): string {
  const outputs = [...effects.map(({ node }) => node), ...roots];
  const order = postOrder([...args, ...outputs], (node) => node.inputs);
  const indices = new Map(order.map((node, index) => [node, index]));
  const nameOf = (node: Node): string => `%${indices.get(node)}`;
  const lines = order.map((node) => `${nameOf(node)} = ${expressionOf(node, nameOf)}${typeOf(node)}`);
  const updates = effects.map(
    ({ node, into }) => `update ${nameOf(node)}${into === null ? '' : ` into ${nameOf(into)}`}`,
  );
  const returned = roots.length === 0 ? [] : [`return ${roots.map(nameOf).join(', ')}`];
  return [...lines, ...updates, ...returned].join('\n');
}

function expressionOf(node: Node, nameOf: (node: Node) => string): string {
  const inputs = node.inputs.map(nameOf).join(', ');
  if (node.op === 'leaf')
    return `${node.attrs.role}${node.attrs.name === null ? '' : ` "${node.attrs.name}"`}`;
  if (node.op === 'output') return `output ${node.attrs.index} of ${inputs}`;
  const attributes = attributesOf(node);
  return `${titleOf(node)}(${inputs})${attributes === '' ? '' : ` {${attributes}}`}`;
}

/** A call has as many types as outputs, and those have them. */
const typeOf = (node: Node): string =>
  node.op === 'call' ? '' : `: ${node.dtype} ${formatShape(node.shape)}`;

/** Attributes that the title or the type of the node states already. */
const STATED: ReadonlySet<string> = /* @__PURE__ */ new Set(['kind', 'shape', 'dtype']);

function attributesOf(node: Node): string {
  const attributes = node.op === 'call' ? node.attrs.attrs : node.attrs;
  return Object.entries(attributes)
    .filter(([name]) => node.op === 'call' || !STATED.has(name))
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}`)
    .join(', ');
}
