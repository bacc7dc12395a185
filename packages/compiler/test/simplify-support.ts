/**
 * What the tests of simplification build on: arguments, programs run by the reference device, and nodes as
 * text.
 */
import { type DType, leaf, type Leaf, type Node, type Program, SCAN_NAMES } from '@firsthand/graph';
import { createReference, type Device } from '@firsthand/runtime';
import { allocate, formatShape, fromFloat16Bits, NDArray, type TypedArray } from '@firsthand/linalg';
import { runToEnd } from '../src/support/resumable.ts';
import { rewrite, type RewriteOptions } from '../src/simplify/rewrite.ts';
import { PASSES } from '../src/simplify/passes.ts';
import { RULES, simplify, type SimplifyOptions } from '../src/simplify/simplify.ts';

const device: Device = createReference();

/** An argument of a program; its name is how it is written as text. */
export function argument(name: string, shape: readonly number[], dtype: DType = 'float32'): Leaf {
  return leaf({ role: 'argument', name, shape, dtype, host: null, sample: null }, device);
}

/** Numbers as the stored elements of a dtype, repeated to the length. */
export function elements(values: readonly number[], length: number, dtype: DType): TypedArray {
  const packed = NDArray.packed(
    Float64Array.from({ length }, (_, place) => values[place % values.length]!),
    [length],
    'float64',
  );
  const data = allocate(dtype, length);
  data.set(packed.astype(dtype).data);
  return data;
}

/** Values for the arguments of a program. */
export type Data = ReadonlyMap<Leaf, TypedArray>;

/** The values of the roots, as numbers: what the reference device computes. */
export function evaluate(roots: readonly Node[], data: Data): readonly (readonly number[])[] {
  const program: Program = { args: [...data.keys()], effects: [], roots };
  const storages = [...data].map(([{ dtype }, values]) => device.upload(values, dtype));
  const { outputs } = device.prepare(program).run(storages);
  return outputs.map((storage) =>
    Array.from(device.readSync!(storage), (value) =>
      storage.dtype === 'float16' ? fromFloat16Bits(value) : value,
    ),
  );
}

/** Values that floats treat in a way of their own, and a few ordinary ones. */
export const SPECIAL: readonly number[] = [
  1.5,
  NaN,
  0,
  -0,
  Infinity,
  -Infinity,
  2 ** -149,
  -(2 ** -149),
  2 ** -1074,
  2 ** -24,
  1,
  -1,
  2,
  0.1,
  -3.7,
  2 ** 127 * 1.5,
  65504,
  -7,
  2 ** 31,
  2 ** 32 - 1,
];

/** A node as text: `add(x, 1)`. What an operation does stands before its operands: `reshape[2, 3](x)`. */
export function textOf(node: Node): string {
  const operands = node.inputs.map(textOf).join(', ');
  switch (node.op) {
    case 'leaf':
      return node.attrs.name ?? 'leaf';
    case 'const':
      return Object.is(node.attrs.value, -0) ? '-0' : String(node.attrs.value);
    case 'iota':
      return `iota${formatShape(node.shape)}@${node.attrs.axis}`;
    case 'unary':
    case 'binary':
      return `${node.attrs.kind}(${operands})`;
    case 'cast':
      return `${node.dtype}(${operands})`;
    case 'reduce':
      return `${node.attrs.kind}@${node.attrs.axes.join()}(${operands})`;
    case 'argReduce':
      return `${node.attrs.kind}@${node.attrs.axis}(${operands})`;
    case 'prefixScan':
      return `${SCAN_NAMES[node.attrs.kind]}@${node.attrs.axis}(${operands})`;
    case 'gather':
    case 'sort':
      return `${node.op}@${node.attrs.axis}(${operands})`;
    case 'scatter':
      return `scatter ${node.attrs.mode}@${node.attrs.axis}(${operands})`;
    case 'movement':
      return `${movementText(node.attrs, node.shape)}(${operands})`;
    case 'call':
      return `${node.attrs.composite.name}${'axis' in node.attrs.attrs ? `@${String(node.attrs.attrs['axis'])}` : ''}(${operands})`;
    case 'output':
      return operands;
    case 'random':
    case 'where':
      return `${node.op}(${operands})`;
  }
}

function movementText(
  movement: Extract<Node, { op: 'movement' }>['attrs'],
  shape: readonly number[],
): string {
  switch (movement.kind) {
    case 'reshape':
    case 'expand':
      return `${movement.kind}${formatShape(shape)}`;
    case 'permute':
    case 'flip':
      return `${movement.kind}${formatShape(movement.axes)}`;
    case 'pad':
      return `pad${formatShape(movement.before)}${formatShape(movement.after)}`;
    case 'shrink':
      return `shrink${formatShape(movement.begin)}${formatShape(movement.end)}`;
    case 'barrier':
      return `barrier${movement.id}`;
  }
}

/** The node simplified, and the names of the rules that were applied. */
export function simplified(
  node: Node,
  options: SimplifyOptions = {},
): { readonly node: Node; readonly applied: readonly string[] } {
  const applied: string[] = [];
  const [result] = allSimplified([node], { ...options, onRewrite: (rule) => applied.push(rule.name) });
  return { node: result!, applied };
}

/** All rules and passes but those that change the rounding of a result. */
export const EXACT: Pick<SimplifyOptions, 'rules' | 'passes'> = {
  rules: RULES.filter(({ exact }) => exact),
  passes: PASSES.filter(({ exact }) => exact),
};

/** `simplify` from beginning to end. */
export const allSimplified = (roots: readonly Node[], options?: SimplifyOptions): readonly Node[] =>
  runToEnd(simplify(roots, options));
/** `rewrite` from beginning to end. */
export const allRewritten = (roots: readonly Node[], options: RewriteOptions): readonly Node[] =>
  runToEnd(rewrite(roots, options));
