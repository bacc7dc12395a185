/**
 * The rules of every primitive on one page: what it accepts, the shape and dtype of what it gives, and which
 * numbers of its attributes distinguish it in a program's key. Shape and dtype are in every key; they need
 * not be repeated here.
 */
import {
  BINARY_TRAITS,
  type BinaryTraits,
  checkShape,
  DTypeError,
  equalShapes,
  formatShape,
  ShapeError,
  sizeOf,
  UNARY_TRAITS,
  type UnaryTraits,
} from '@firsthand/linalg';
import type {
  Attributes,
  Attrs,
  BinaryKind,
  DType,
  Movement,
  Op,
  ScanKind,
  Shape,
  Spec,
  UnaryKind,
} from './types.ts';
import {
  describe,
  isFloat,
  operandOf,
  requireBool,
  requireFloat,
  requireIndex,
  requireNumbers,
  requireSameDType,
  shapesDiffer,
} from './shapes.ts';

interface Primitive<K extends Op> {
  /** @throws ShapeError, DTypeError */
  infer(attrs: Attributes[K], inputs: readonly Spec[]): Spec;
  /** The attributes as numbers; strings are interned by `intern`. */
  encode(
    attrs: Attributes[K],
    write: (value: number) => void,
    intern: (value: object | string) => number,
  ): void;
}

/** The operands of each unary function: floats only, any number, bool only, or a test that gives bool. */
export const UNARY_RULES: { readonly [K in UnaryKind]: UnaryTraits['operands'] } =
  /* @__PURE__ */ operandsOf(UNARY_TRAITS);
/** What each binary operation accepts and gives. */
export const BINARY_RULES: { readonly [K in BinaryKind]: BinaryTraits['operands'] } =
  /* @__PURE__ */ operandsOf(BINARY_TRAITS);

function operandsOf<K extends string, T>(traits: { readonly [P in K]: { readonly operands: T } }): {
  readonly [P in K]: T;
} {
  const kinds = Object.keys(traits) as K[];
  return Object.fromEntries(kinds.map((kind) => [kind, traits[kind].operands])) as { [P in K]: T };
}

/** What a scan is called. */
export const SCAN_NAMES: { readonly [K in ScanKind]: string } = {
  sum: 'cumsum',
  prod: 'cumprod',
  linear: 'linearRecurrence',
};

/** What writing at indices is called. */
export const SCATTER_NAMES: { readonly [K in Attributes['scatter']['mode']]: string } = {
  add: 'scatterAdd',
  set: 'scatterSet',
};

const UNARY_CODES = codes(UNARY_RULES);
const BINARY_CODES = codes(BINARY_RULES);

function codes<K extends string>(table: { readonly [P in K]: unknown }): { readonly [P in K]: number } {
  const entries = Object.keys(table).map((key, index) => [key, index]);
  return Object.fromEntries(entries) as { [P in K]: number };
}

function input(inputs: readonly Spec[], index: number): Spec {
  const spec = inputs[index];
  if (spec === undefined) throw new ShapeError(`operand ${index} is missing`);
  return spec;
}

function withAxis(shape: Shape, axis: number, extent: number): Shape {
  const copy = shape.slice();
  copy[axis] = extent;
  return copy;
}

/** The error of an extreme that does not exist. */
function emptyAxis(operation: string, x: Spec, axes: string): ShapeError {
  const problem = `an empty axis has no ${operation}: ${describe(x)}, ${axes}`;
  return new ShapeError({ operation, problem, operands: [operandOf(x)], expected: 'elements' });
}

/** @throws ShapeError unless the index has the shape of x but for one axis */
function requireIndexShape(operation: string, x: Spec, index: Spec, axis: number): void {
  if (equalShapes(withAxis(x.shape, axis, 0), withAxis(index.shape, axis, 0))) return;
  const expected = `the shape of ${describe(x)} but for axis ${axis}`;
  const problem = `index ${describe(index)} must have ${expected}`;
  throw new ShapeError({ operation, problem, operands: [x, index].map(operandOf), expected });
}

function writeAll(values: readonly number[], write: (value: number) => void): void {
  for (const value of values) write(value);
}

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);
/** The 64 bits of a double as two integers. */
function writeDouble(value: number, write: (value: number) => void): void {
  double[0] = value;
  write(words[0]! | 0);
  write(words[1]! | 0);
}

/**
 * One attribute of a composite. Numbers are written bit for bit: JSON would write NaN and the infinities
 * alike.
 */
function encodeValue(
  value: Attrs[string],
  write: (value: number) => void,
  intern: (value: object | string) => number,
): void {
  if (typeof value === 'number') {
    writeDouble(value, write);
  } else if (typeof value === 'object' && value !== null) {
    write(value.length);
    for (const each of value) writeDouble(each, write);
  } else {
    write(intern(`${typeof value} ${String(value)}`));
  }
}

type MovementRule<K extends Movement['kind']> = {
  readonly code: number;
  shape(movement: Extract<Movement, { kind: K }>, input: Shape): Shape;
  encode(movement: Extract<Movement, { kind: K }>, write: (value: number) => void): void;
};
const MOVEMENTS: { readonly [K in Movement['kind']]: MovementRule<K> } = {
  reshape: {
    code: 0,
    shape({ shape }, from) {
      checkShape('reshape', shape);
      if (sizeOf(shape) !== sizeOf(from)) {
        const problem = `${formatShape(from)} has ${sizeOf(from)} elements, ${formatShape(shape)} has ${sizeOf(shape)}`;
        throw new ShapeError({
          operation: 'reshape',
          problem,
          expected: `a shape of ${sizeOf(from)} elements`,
        });
      }
      return shape;
    },
    encode() {},
  },
  permute: {
    code: 1,
    shape({ axes }, from) {
      const seen = new Set(axes);
      if (
        axes.length !== from.length ||
        seen.size !== axes.length ||
        axes.some((axis) => !(axis >= 0 && axis < from.length))
      ) {
        const expected = `a permutation of the ${from.length} axes`;
        throw new ShapeError({
          operation: 'permute',
          problem: `${formatShape(axes)} is not ${expected} of ${formatShape(from)}`,
          expected,
        });
      }
      return axes.map((axis) => from[axis]!);
    },
    encode({ axes }, write) {
      writeAll(axes, write);
    },
  },
  expand: {
    code: 2,
    shape({ shape }, from) {
      checkShape('expand', shape);
      if (
        shape.length !== from.length ||
        shape.some((extent, axis) => from[axis] !== extent && from[axis] !== 1)
      ) {
        const problem = `${formatShape(from)} does not expand to ${formatShape(shape)}`;
        throw new ShapeError({
          operation: 'expand',
          problem,
          expected: 'axes of size 1',
          remedy: 'only axes of size 1 stretch',
        });
      }
      return shape;
    },
    encode() {},
  },
  pad: {
    code: 3,
    shape({ before, after }, from) {
      if (before.length !== from.length || after.length !== from.length) {
        const problem = `${formatShape(from)} has ${from.length} axes, the widths name ${before.length} and ${after.length}`;
        throw new ShapeError({ operation: 'pad', problem, expected: `widths for ${from.length} axes` });
      }
      checkShape('pad', before);
      checkShape('pad', after);
      return from.map((extent, axis) => before[axis]! + extent + after[axis]!);
    },
    encode({ before, after }, write) {
      writeAll(before, write);
      writeAll(after, write);
    },
  },
  shrink: {
    code: 4,
    shape({ begin, end }, from) {
      const bad = from.some(
        (extent, axis) => !(begin[axis]! >= 0 && begin[axis]! <= end[axis]! && end[axis]! <= extent),
      );
      if (
        begin.length !== from.length ||
        end.length !== from.length ||
        bad ||
        ![...begin, ...end].every(Number.isInteger)
      ) {
        const expected = `a range of ${formatShape(from)}`;
        throw new ShapeError({
          operation: 'shrink',
          problem: `${formatShape(begin)} to ${formatShape(end)} is not ${expected}`,
          expected,
        });
      }
      return from.map((_, axis) => end[axis]! - begin[axis]!);
    },
    encode({ begin }, write) {
      writeAll(begin, write);
    },
  },
  flip: {
    code: 5,
    shape({ axes }, from) {
      if (axes.some((axis) => !(axis >= 0 && axis < from.length))) {
        const problem = `axes ${formatShape(axes)} are out of range for ${formatShape(from)}`;
        throw new ShapeError({ operation: 'flip', problem, expected: `axes of ${from.length}` });
      }
      return from;
    },
    encode({ axes }, write) {
      write(axes.length);
      writeAll(axes, write);
    },
  },
  barrier: {
    code: 6,
    shape: (_, from) => from,
    encode({ id }, write) {
      write(id);
    },
  },
};

function movementRule<K extends Movement['kind']>(kind: K): MovementRule<Movement['kind']> {
  return MOVEMENTS[kind] as MovementRule<Movement['kind']>;
}

/** One entry per primitive: the type checker lists the ones that are missing. */
export const PRIMITIVES: { readonly [K in Op]: Primitive<K> } = {
  leaf: { infer: ({ shape, dtype }) => ({ shape, dtype }), encode() {} },
  const: {
    infer: ({ shape, dtype }) => ({ shape: checkShape('full', shape), dtype }),
    encode: ({ value }, write) => writeDouble(value, write),
  },
  iota: {
    infer: ({ shape }) => ({ shape: checkShape('arange', shape), dtype: 'int32' }),
    encode: ({ axis }, write) => write(axis),
  },
  random: {
    infer: ({ shape, dtype }, inputs) => {
      for (const part of inputs) {
        if (part.dtype !== 'uint32' || !equalShapes(part.shape, [2])) {
          throw new DTypeError({
            operation: 'random',
            operands: [operandOf(part)],
            expected: 'a key and a counter, uint32 [2] each',
          });
        }
      }
      if (dtype !== 'uint32' && dtype !== 'float32') {
        const expected = 'uint32 bits or float32 uniforms';
        throw new DTypeError({
          operation: 'random',
          problem: `gives ${expected}, not ${String(dtype)}`,
          expected,
        });
      }
      return { shape: checkShape('random', shape), dtype };
    },
    encode() {},
  },
  cast: { infer: ({ dtype }, inputs) => ({ shape: input(inputs, 0).shape, dtype }), encode() {} },
  unary: {
    infer: ({ kind }, inputs) => {
      const x = input(inputs, 0);
      const rule = UNARY_RULES[kind];
      if (rule === 'float' || rule === 'test') requireFloat(kind, x);
      if (rule === 'number') requireNumbers(kind, x, "use cast('float32')");
      if (rule === 'bool') requireBool(kind, x);
      return { shape: x.shape, dtype: rule === 'test' ? 'bool' : x.dtype };
    },
    encode: ({ kind }, write) => write(UNARY_CODES[kind]),
  },
  binary: {
    infer: ({ kind }, inputs) => {
      const a = input(inputs, 0);
      const b = input(inputs, 1);
      requireSameDType(kind, a, b);
      if (!equalShapes(a.shape, b.shape)) throw shapesDiffer(kind, [a, b], 'broadcast first');
      const rule = BINARY_RULES[kind];
      if (rule === 'logic') requireBool(kind, a);
      if (rule === 'arithmetic') requireNumbers(kind, a, "use cast('float32') or a logical operation");
      return { shape: a.shape, dtype: rule === 'compare' ? 'bool' : a.dtype };
    },
    encode: ({ kind }, write) => write(BINARY_CODES[kind]),
  },
  where: {
    infer: (_, inputs) => {
      const condition = input(inputs, 0);
      const a = input(inputs, 1);
      const b = input(inputs, 2);
      if (condition.dtype !== 'bool') {
        const problem = `the condition must be bool, got ${describe(condition)}`;
        const operands = [operandOf(condition)];
        throw new DTypeError({
          operation: 'where',
          problem,
          operands,
          expected: 'bool',
          remedy: 'compare first',
        });
      }
      requireSameDType('where', a, b);
      if (!equalShapes(condition.shape, a.shape) || !equalShapes(a.shape, b.shape)) {
        throw shapesDiffer('where', [condition, a, b], 'broadcast first');
      }
      return { shape: a.shape, dtype: a.dtype };
    },
    encode() {},
  },
  reduce: {
    infer: ({ kind, axes }, inputs) => {
      const x = input(inputs, 0);
      requireNumbers(kind, x, "use cast('int32')");
      if ((kind === 'max' || kind === 'min') && axes.some((axis) => x.shape[axis] === 0))
        throw emptyAxis(kind, x, `axes ${formatShape(axes)}`);
      return { shape: x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)), dtype: x.dtype };
    },
    encode: ({ kind, axes }, write, intern) => {
      write(intern(kind));
      write(axes.length);
      writeAll(axes, write);
    },
  },
  argReduce: {
    infer: ({ kind, axis }, inputs) => {
      const x = input(inputs, 0);
      if (x.shape[axis] === 0) throw emptyAxis(kind, x, `axis ${axis}`);
      return { shape: withAxis(x.shape, axis, 1), dtype: 'int32' };
    },
    encode: ({ kind, axis }, write, intern) => {
      write(intern(kind));
      write(axis);
    },
  },
  prefixScan: {
    infer: ({ kind }, inputs) => {
      const x = input(inputs, 0);
      const name = SCAN_NAMES[kind];
      requireNumbers(name, x, "use cast('int32')");
      if (kind === 'linear') {
        const term = input(inputs, 1);
        requireSameDType(name, x, term);
        if (!equalShapes(x.shape, term.shape)) throw shapesDiffer(name, [x, term]);
      }
      return { shape: x.shape, dtype: x.dtype };
    },
    encode: ({ kind, axis }, write, intern) => {
      write(intern(kind));
      write(axis);
    },
  },
  movement: {
    infer: (movement, inputs) => {
      const x = input(inputs, 0);
      return { shape: movementRule(movement.kind).shape(movement, x.shape), dtype: x.dtype };
    },
    encode: (movement, write) => {
      const rule = movementRule(movement.kind);
      write(rule.code);
      rule.encode(movement, write);
    },
  },
  gather: {
    infer: ({ axis }, inputs) => {
      const x = input(inputs, 0);
      const index = input(inputs, 1);
      requireIndex('gather', index);
      requireIndexShape('gather', x, index, axis);
      return { shape: index.shape, dtype: x.dtype };
    },
    encode: ({ axis }, write) => write(axis),
  },
  scatter: {
    infer: ({ axis, mode }, inputs) => {
      const base = input(inputs, 0);
      const index = input(inputs, 1);
      const source = input(inputs, 2);
      const name = SCATTER_NAMES[mode];
      requireIndex(name, index);
      requireSameDType(name, base, source);
      if (mode === 'add') requireNumbers(name, base, "use cast('int32')");
      if (!equalShapes(index.shape, source.shape)) throw shapesDiffer(name, [index, source]);
      requireIndexShape(name, base, index, axis);
      return { shape: base.shape, dtype: base.dtype };
    },
    encode: ({ axis, mode }, write) => {
      write(axis);
      write(mode === 'add' ? 0 : 1);
    },
  },
  sort: {
    infer: (_, inputs) => ({ shape: input(inputs, 0).shape, dtype: 'int32' }),
    encode: ({ axis, descending }, write) => {
      write(axis);
      write(descending ? 1 : 0);
    },
  },
  call: {
    infer: ({ outputs }) => outputs[0] ?? { shape: [], dtype: 'float32' },
    encode: ({ composite, attrs }, write, intern) => {
      write(intern(composite));
      for (const [name, value] of Object.entries(attrs)) {
        write(intern(name));
        encodeValue(value, write, intern);
      }
    },
  },
  output: {
    // The call stands behind the specs it inferred: `callNode` builds an output from them directly.
    infer: (_, inputs) => input(inputs, 0),
    encode: ({ index }, write) => write(index),
  },
};

const DTYPE_CODES: { readonly [K in DType]: number } = {
  float32: 0,
  float64: 1,
  float16: 2,
  int32: 3,
  uint32: 4,
  bool: 5,
};
const OP_CODES = codes(PRIMITIVES);

/** The code of a primitive in a key. */
export function opCode(op: Op): number {
  return OP_CODES[op];
}

/** The code of a dtype in a key. */
export function dtypeCode(dtype: DType): number {
  return DTYPE_CODES[dtype];
}

/** True where a gradient may flow. */
export function differentiable(dtype: DType): boolean {
  return isFloat(dtype);
}
