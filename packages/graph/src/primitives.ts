/**
 * The rules of every primitive on one page: what it accepts, the shape and dtype of what it gives, and which numbers of
 * its attributes distinguish it in a program's key. Shape and dtype are in every key; they need not be repeated here.
 */
import { checkShape, DTypeError, equalShapes, formatShape, ShapeError, sizeOf } from '@firsthand/linalg';
import type { Attributes, Attrs, BinaryKind, DType, Movement, Op, ScanKind, Shape, Spec, UnaryKind } from './types.ts';
import { describe, isFloat, requireFloat, requireIndex, requireSameDType } from './shapes.ts';

interface Primitive<K extends Op> {
  /** @throws ShapeError, DTypeError */
  infer(attrs: Attributes[K], inputs: readonly Spec[]): Spec;
  /** The attributes as numbers; strings are interned by `intern`. */
  encode(attrs: Attributes[K], write: (value: number) => void, intern: (value: object | string) => number): void;
}

/** What a unary function accepts: floats only, any number, or bool only; and whether it gives bool. */
type UnaryRule = 'float' | 'number' | 'bool' | 'test';
/** What each unary function accepts and gives. */
export const UNARY_RULES: { readonly [K in UnaryKind]: UnaryRule } = {
  neg: 'number',
  abs: 'number',
  sign: 'number',
  exp: 'float',
  expm1: 'float',
  log: 'float',
  log1p: 'float',
  sqrt: 'float',
  rsqrt: 'float',
  reciprocal: 'float',
  sin: 'float',
  cos: 'float',
  tan: 'float',
  tanh: 'float',
  erf: 'float',
  normalCdf: 'float',
  sigmoid: 'float',
  floor: 'float',
  ceil: 'float',
  round: 'float',
  logicalNot: 'bool',
  isNaN: 'test',
};

/** Arithmetic keeps its dtype, comparisons give bool, logic takes and gives bool. */
type BinaryRule = 'arithmetic' | 'compare' | 'logic';
/** What each binary operation accepts and gives. */
export const BINARY_RULES: { readonly [K in BinaryKind]: BinaryRule } = {
  add: 'arithmetic',
  sub: 'arithmetic',
  mul: 'arithmetic',
  div: 'arithmetic',
  pow: 'arithmetic',
  mod: 'arithmetic',
  maximum: 'arithmetic',
  minimum: 'arithmetic',
  eq: 'compare',
  ne: 'compare',
  lt: 'compare',
  le: 'compare',
  gt: 'compare',
  ge: 'compare',
  logicalAnd: 'logic',
  logicalOr: 'logic',
};

/** What a scan is called. */
export const SCAN_NAMES: { readonly [K in ScanKind]: string } = { sum: 'cumsum', prod: 'cumprod', linear: 'linearRecurrence' };

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

/** One attribute of a composite. Numbers are written bit for bit: JSON would write NaN and the infinities alike. */
function encodeValue(value: Attrs[string], write: (value: number) => void, intern: (value: object | string) => number): void {
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
        throw new ShapeError(`reshape: ${formatShape(from)} has ${sizeOf(from)} elements, ${formatShape(shape)} has ${sizeOf(shape)}`);
      }
      return shape;
    },
    encode() {},
  },
  permute: {
    code: 1,
    shape({ axes }, from) {
      const seen = new Set(axes);
      if (axes.length !== from.length || seen.size !== axes.length || axes.some((axis) => !(axis >= 0 && axis < from.length))) {
        throw new ShapeError(`permute: ${formatShape(axes)} is not a permutation of the ${from.length} axes of ${formatShape(from)}`);
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
      if (shape.length !== from.length || shape.some((extent, axis) => from[axis] !== extent && from[axis] !== 1)) {
        throw new ShapeError(`expand: ${formatShape(from)} does not expand to ${formatShape(shape)}; only axes of size 1 stretch`);
      }
      return shape;
    },
    encode() {},
  },
  pad: {
    code: 3,
    shape({ before, after }, from) {
      if (before.length !== from.length || after.length !== from.length) {
        throw new ShapeError(`pad: ${formatShape(from)} has ${from.length} axes, the widths name ${before.length} and ${after.length}`);
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
      const bad = from.some((extent, axis) => !(begin[axis]! >= 0 && begin[axis]! <= end[axis]! && end[axis]! <= extent));
      if (begin.length !== from.length || end.length !== from.length || bad || ![...begin, ...end].every(Number.isInteger)) {
        throw new ShapeError(`shrink: ${formatShape(begin)} to ${formatShape(end)} is not a range of ${formatShape(from)}`);
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
        throw new ShapeError(`flip: axes ${formatShape(axes)} are out of range for ${formatShape(from)}`);
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
          throw new DTypeError(`random: key and counter are uint32 [2], got ${describe(part)}`);
        }
      }
      if (dtype !== 'uint32' && dtype !== 'float32') throw new DTypeError(`random: gives uint32 bits or float32 uniforms, not ${dtype}`);
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
      if (rule === 'number' && x.dtype === 'bool') throw new DTypeError(`${kind}: needs numbers, got ${describe(x)}; use cast('float32')`);
      if (rule === 'bool' && x.dtype !== 'bool')
        throw new DTypeError(`${kind}: needs bool, got ${describe(x)}; compare first, or cast('bool')`);
      return { shape: x.shape, dtype: rule === 'test' ? 'bool' : x.dtype };
    },
    encode: ({ kind }, write) => write(UNARY_CODES[kind]),
  },
  binary: {
    infer: ({ kind }, inputs) => {
      const a = input(inputs, 0);
      const b = input(inputs, 1);
      requireSameDType(kind, a, b);
      if (!equalShapes(a.shape, b.shape))
        throw new ShapeError(`${kind}: shapes differ: ${describe(a)} and ${describe(b)}; broadcast first`);
      const rule = BINARY_RULES[kind];
      if (rule === 'logic' && a.dtype !== 'bool')
        throw new DTypeError(`${kind}: needs bool, got ${describe(a)}; compare first, or cast('bool')`);
      if (rule === 'arithmetic' && a.dtype === 'bool') {
        throw new DTypeError(`${kind}: needs numbers, got ${describe(a)}; use cast('float32') or a logical operation`);
      }
      return { shape: a.shape, dtype: rule === 'compare' ? 'bool' : a.dtype };
    },
    encode: ({ kind }, write) => write(BINARY_CODES[kind]),
  },
  where: {
    infer: (_, inputs) => {
      const condition = input(inputs, 0);
      const a = input(inputs, 1);
      const b = input(inputs, 2);
      if (condition.dtype !== 'bool') throw new DTypeError(`where: the condition must be bool, got ${describe(condition)}; compare first`);
      requireSameDType('where', a, b);
      if (!equalShapes(condition.shape, a.shape) || !equalShapes(a.shape, b.shape)) {
        throw new ShapeError(`where: shapes differ: ${[condition, a, b].map(describe).join(', ')}; broadcast first`);
      }
      return { shape: a.shape, dtype: a.dtype };
    },
    encode() {},
  },
  reduce: {
    infer: ({ kind, axes }, inputs) => {
      const x = input(inputs, 0);
      if (x.dtype === 'bool') throw new DTypeError(`${kind}: needs numbers, got ${describe(x)}; use cast('int32')`);
      if ((kind === 'max' || kind === 'min') && axes.some((axis) => x.shape[axis] === 0)) {
        throw new ShapeError(`${kind}: an empty axis has no ${kind}: ${describe(x)}, axes ${formatShape(axes)}`);
      }
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
      if (x.shape[axis] === 0) throw new ShapeError(`${kind}: an empty axis has no ${kind}: ${describe(x)}, axis ${axis}`);
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
      if (x.dtype === 'bool') throw new DTypeError(`${name}: needs numbers, got ${describe(x)}; use cast('int32')`);
      if (kind === 'linear') {
        const term = input(inputs, 1);
        requireSameDType(name, x, term);
        if (!equalShapes(x.shape, term.shape)) {
          throw new ShapeError(`${name}: factors ${describe(x)} and terms ${describe(term)} differ in shape`);
        }
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
      if (!equalShapes(withAxis(x.shape, axis, 0), withAxis(index.shape, axis, 0))) {
        throw new ShapeError(`gather: index ${describe(index)} must have the shape of ${describe(x)} but for axis ${axis}`);
      }
      return { shape: index.shape, dtype: x.dtype };
    },
    encode: ({ axis }, write) => write(axis),
  },
  scatter: {
    infer: ({ axis, mode }, inputs) => {
      const base = input(inputs, 0);
      const index = input(inputs, 1);
      const source = input(inputs, 2);
      const name = `scatter ${mode}`;
      requireIndex(name, index);
      requireSameDType(name, base, source);
      if (mode === 'add' && base.dtype === 'bool') throw new DTypeError(`${name}: needs numbers, got ${describe(base)}; use cast('int32')`);
      if (!equalShapes(index.shape, source.shape))
        throw new ShapeError(`${name}: index ${describe(index)} and source ${describe(source)} differ in shape`);
      if (!equalShapes(withAxis(base.shape, axis, 0), withAxis(index.shape, axis, 0))) {
        throw new ShapeError(`${name}: index ${describe(index)} must have the shape of ${describe(base)} but for axis ${axis}`);
      }
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

const DTYPE_CODES: { readonly [K in DType]: number } = { float32: 0, float64: 1, float16: 2, int32: 3, uint32: 4, bool: 5 };
const OP_CODES = codes(PRIMITIVES);

/** The number that stands for a primitive in a key. */
export function opCode(op: Op): number {
  return OP_CODES[op];
}

/** The number that stands for a dtype in a key. */
export function dtypeCode(dtype: DType): number {
  return DTYPE_CODES[dtype];
}

/** True where a gradient may flow. */
export function differentiable(dtype: DType): boolean {
  return isFloat(dtype);
}
