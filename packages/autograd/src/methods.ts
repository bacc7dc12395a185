/**
 * Methods of a tensor as functions, for those who write `exp(x)` and `maximum(0, x)`: each calls the method
 * of its name on its first argument, and takes and gives what that does. Functions of two operands take a
 * number on either side.
 */
import { binary, type BinaryKind } from '@firsthand/graph';
import { checkCount, DTypeError } from '@firsthand/linalg';
import { Tensor } from './tensor.ts';
import { operandNode } from './operands.ts';

/** The method `K` with its tensor as the first argument. */
export type MethodFunction<K extends MethodName> = (
  x: Tensor,
  ...rest: Parameters<Tensor[K]>
) => ReturnType<Tensor[K]>;

/** Names of methods that give something. */
type MethodName = {
  [K in keyof Tensor]: Tensor[K] extends (...args: never[]) => unknown ? K : never;
}[keyof Tensor];

/** A function of two operands, one of which may be a number. */
export type BinaryFunction = (a: Tensor | number, b: Tensor | number) => Tensor;

function method<K extends MethodName>(name: K): MethodFunction<K> {
  return (x, ...rest) => {
    operandNode(x, String(name), 'the first operand');
    return (x[name] as (...all: Parameters<Tensor[K]>) => ReturnType<Tensor[K]>)(...rest);
  };
}

function binaryMethod(kind: BinaryKind): BinaryFunction {
  const operand = (value: Tensor | number, which: string) =>
    typeof value === 'number' ? value : operandNode(value, kind, `the ${which} operand`);
  return function (a, b) {
    checkCount(kind, arguments.length, 2, `${kind}(a, b)`);
    const [first, second] = [operand(a, 'first'), operand(b, 'second')];
    if (typeof first === 'number' && typeof second === 'number') {
      throw new DTypeError({
        operation: kind,
        problem: 'both operands are numbers',
        expected: 'a tensor among them',
        remedy: 'make one with tensor(…)',
      });
    }
    return new Tensor(binary(kind, first, second));
  };
}

// ---- arithmetic: operands broadcast

/** a + b */
export const add: BinaryFunction = /* @__PURE__ */ binaryMethod('add');
/** a − b */
export const sub: BinaryFunction = /* @__PURE__ */ binaryMethod('sub');
/** a · b, element by element */
export const mul: BinaryFunction = /* @__PURE__ */ binaryMethod('mul');
/** a / b */
export const div: BinaryFunction = /* @__PURE__ */ binaryMethod('div');
/** a to the power of b */
export const pow: BinaryFunction = /* @__PURE__ */ binaryMethod('pow');
/** The remainder of a / b, with the sign of b. */
export const mod: BinaryFunction = /* @__PURE__ */ binaryMethod('mod');
/** The larger of two elements; NaN wins. */
export const maximum: BinaryFunction = /* @__PURE__ */ binaryMethod('maximum');
/** The smaller of two elements; NaN wins. */
export const minimum: BinaryFunction = /* @__PURE__ */ binaryMethod('minimum');

// ---- comparison and logic (bool)

/** a = b */
export const eq: BinaryFunction = /* @__PURE__ */ binaryMethod('eq');
/** a ≠ b */
export const ne: BinaryFunction = /* @__PURE__ */ binaryMethod('ne');
/** a < b */
export const lt: BinaryFunction = /* @__PURE__ */ binaryMethod('lt');
/** a ≤ b */
export const le: BinaryFunction = /* @__PURE__ */ binaryMethod('le');
/** a > b */
export const gt: BinaryFunction = /* @__PURE__ */ binaryMethod('gt');
/** a ≥ b */
export const ge: BinaryFunction = /* @__PURE__ */ binaryMethod('ge');
/** a ∧ b, of bools */
export const logicalAnd: BinaryFunction = /* @__PURE__ */ binaryMethod('logicalAnd');
/** a ∨ b, of bools */
export const logicalOr: BinaryFunction = /* @__PURE__ */ binaryMethod('logicalOr');
/** ¬x, of bools */
export const logicalNot: MethodFunction<'logicalNot'> = /* @__PURE__ */ method('logicalNot');
/** Whether an element is NaN. */
export const isNaN: MethodFunction<'isNaN'> = /* @__PURE__ */ method('isNaN');

// ---- elementwise

/** −x */
export const neg: MethodFunction<'neg'> = /* @__PURE__ */ method('neg');
/** |x| */
export const abs: MethodFunction<'abs'> = /* @__PURE__ */ method('abs');
/** −1, 0 or 1 */
export const sign: MethodFunction<'sign'> = /* @__PURE__ */ method('sign');
/** x² */
export const square: MethodFunction<'square'> = /* @__PURE__ */ method('square');
/** eˣ */
export const exp: MethodFunction<'exp'> = /* @__PURE__ */ method('exp');
/** eˣ − 1, exact near 0 */
export const expm1: MethodFunction<'expm1'> = /* @__PURE__ */ method('expm1');
/** ln x */
export const log: MethodFunction<'log'> = /* @__PURE__ */ method('log');
/** ln(1 + x), exact near 0 */
export const log1p: MethodFunction<'log1p'> = /* @__PURE__ */ method('log1p');
/** √x */
export const sqrt: MethodFunction<'sqrt'> = /* @__PURE__ */ method('sqrt');
/** 1/√x */
export const rsqrt: MethodFunction<'rsqrt'> = /* @__PURE__ */ method('rsqrt');
/** 1/x */
export const reciprocal: MethodFunction<'reciprocal'> = /* @__PURE__ */ method('reciprocal');
/** sin x */
export const sin: MethodFunction<'sin'> = /* @__PURE__ */ method('sin');
/** cos x */
export const cos: MethodFunction<'cos'> = /* @__PURE__ */ method('cos');
/** tan x */
export const tan: MethodFunction<'tan'> = /* @__PURE__ */ method('tan');
/** tanh x */
export const tanh: MethodFunction<'tanh'> = /* @__PURE__ */ method('tanh');
/** The error function. */
export const erf: MethodFunction<'erf'> = /* @__PURE__ */ method('erf');
/** The next whole number below. */
export const floor: MethodFunction<'floor'> = /* @__PURE__ */ method('floor');
/** The next whole number above. */
export const ceil: MethodFunction<'ceil'> = /* @__PURE__ */ method('ceil');
/** The nearest whole number, halves to even. */
export const round: MethodFunction<'round'> = /* @__PURE__ */ method('round');
/** x limited to [low, high]. */
export const clamp: MethodFunction<'clamp'> = /* @__PURE__ */ method('clamp');

// ---- activations

/** 1/(1 + e⁻ˣ) */
export const sigmoid: MethodFunction<'sigmoid'> = /* @__PURE__ */ method('sigmoid');
/** max(x, 0) */
export const relu: MethodFunction<'relu'> = /* @__PURE__ */ method('relu');
/** x for x > 0, else slope·x */
export const leakyRelu: MethodFunction<'leakyRelu'> = /* @__PURE__ */ method('leakyRelu');
/** x for x > 0, else α(eˣ − 1) */
export const elu: MethodFunction<'elu'> = /* @__PURE__ */ method('elu');
/** x·Φ(x) */
export const gelu: MethodFunction<'gelu'> = /* @__PURE__ */ method('gelu');
/** x·σ(x) */
export const silu: MethodFunction<'silu'> = /* @__PURE__ */ method('silu');
/** ln(1 + eˣ) */
export const softplus: MethodFunction<'softplus'> = /* @__PURE__ */ method('softplus');
/** eˣ / Σ eˣ along an axis. */
export const softmax: MethodFunction<'softmax'> = /* @__PURE__ */ method('softmax');
/** ln softmax, without overflow. */
export const logSoftmax: MethodFunction<'logSoftmax'> = /* @__PURE__ */ method('logSoftmax');

// ---- reductions

/** Σ x */
export const sum: MethodFunction<'sum'> = /* @__PURE__ */ method('sum');
/** Π x */
export const prod: MethodFunction<'prod'> = /* @__PURE__ */ method('prod');
/** The largest element. */
export const max: MethodFunction<'max'> = /* @__PURE__ */ method('max');
/** The smallest element. */
export const min: MethodFunction<'min'> = /* @__PURE__ */ method('min');
/** The mean. */
export const mean: MethodFunction<'mean'> = /* @__PURE__ */ method('mean');
/** The variance: the method `var`, which is no name for a function. */
export const variance: MethodFunction<'var'> = /* @__PURE__ */ method('var');
/** The standard deviation. */
export const std: MethodFunction<'std'> = /* @__PURE__ */ method('std');
/** The 1-, 2- or ∞-norm. */
export const norm: MethodFunction<'norm'> = /* @__PURE__ */ method('norm');
/** The index of the first largest element. */
export const argmax: MethodFunction<'argmax'> = /* @__PURE__ */ method('argmax');
/** The index of the first smallest element. */
export const argmin: MethodFunction<'argmin'> = /* @__PURE__ */ method('argmin');
/** True where any element is. */
export const any: MethodFunction<'any'> = /* @__PURE__ */ method('any');
/** True where all elements are. */
export const all: MethodFunction<'all'> = /* @__PURE__ */ method('all');
/** Running products along an axis. */
export const cumprod: MethodFunction<'cumprod'> = /* @__PURE__ */ method('cumprod');
/** Running sums along an axis. */
export const cumsum: MethodFunction<'cumsum'> = /* @__PURE__ */ method('cumsum');
/** ln Σ eˣ, without overflow. */
export const logsumexp: MethodFunction<'logsumexp'> = /* @__PURE__ */ method('logsumexp');

// ---- products

/** The matrix product over the last two axes. */
export const matmul: MethodFunction<'matmul'> = /* @__PURE__ */ method('matmul');
/** Convolution along one axis. */
export const conv1d: MethodFunction<'conv1d'> = /* @__PURE__ */ method('conv1d');
/** Convolution along two axes. */
export const conv2d: MethodFunction<'conv2d'> = /* @__PURE__ */ method('conv2d');
/** The transpose of a convolution along two axes. */
export const convTranspose2d: MethodFunction<'convTranspose2d'> = /* @__PURE__ */ method('convTranspose2d');
/** The largest element of each window. */
export const maxPool2d: MethodFunction<'maxPool2d'> = /* @__PURE__ */ method('maxPool2d');
/** The mean of each window. */
export const avgPool2d: MethodFunction<'avgPool2d'> = /* @__PURE__ */ method('avgPool2d');

// ---- movement and indexing

/** Two axes exchanged, the last two by default. */
export const transpose: MethodFunction<'transpose'> = /* @__PURE__ */ method('transpose');
/** The axes in another order. */
export const permute: MethodFunction<'permute'> = /* @__PURE__ */ method('permute');
/** The same elements in another shape. */
export const reshape: MethodFunction<'reshape'> = /* @__PURE__ */ method('reshape');
/** Axes merged into one. */
export const flatten: MethodFunction<'flatten'> = /* @__PURE__ */ method('flatten');
/** Without axes of size 1. */
export const squeeze: MethodFunction<'squeeze'> = /* @__PURE__ */ method('squeeze');
/** With a new axis of size 1. */
export const unsqueeze: MethodFunction<'unsqueeze'> = /* @__PURE__ */ method('unsqueeze');
/** Axes of size 1 stretched, and leading axes added, to reach a shape. */
export const expand: MethodFunction<'expand'> = /* @__PURE__ */ method('expand');
/** The order reversed along axes. */
export const flip: MethodFunction<'flip'> = /* @__PURE__ */ method('flip');
/** Zeros around the elements. */
export const pad: MethodFunction<'pad'> = /* @__PURE__ */ method('pad');
/** Elements shifted along an axis, around its end. */
export const roll: MethodFunction<'roll'> = /* @__PURE__ */ method('roll');
/** The lower triangle of the last two axes. */
export const tril: MethodFunction<'tril'> = /* @__PURE__ */ method('tril');
/** The upper triangle of the last two axes. */
export const triu: MethodFunction<'triu'> = /* @__PURE__ */ method('triu');
/** The part at one index of an axis, without that axis. */
export const select: MethodFunction<'select'> = /* @__PURE__ */ method('select');
/** Consecutive elements along one axis. */
export const narrow: MethodFunction<'narrow'> = /* @__PURE__ */ method('narrow');
/** A value where a mask holds. */
export const maskedFill: MethodFunction<'maskedFill'> = /* @__PURE__ */ method('maskedFill');
/** Pieces of given sizes along an axis. */
export const split: MethodFunction<'split'> = /* @__PURE__ */ method('split');
/** At most `count` pieces of equal size along an axis. */
export const chunk: MethodFunction<'chunk'> = /* @__PURE__ */ method('chunk');
/** The slices at each index of an axis, without that axis; what `stack` joins again. */
export const unbind: MethodFunction<'unbind'> = /* @__PURE__ */ method('unbind');
/** The elements in order along an axis, with their positions. */
export const sort: MethodFunction<'sort'> = /* @__PURE__ */ method('sort');
/** The largest (or smallest) elements along an axis, with their positions. */
export const topk: MethodFunction<'topk'> = /* @__PURE__ */ method('topk');
/** Whole slices at positions of one axis. */
export const indexSelect: MethodFunction<'indexSelect'> = /* @__PURE__ */ method('indexSelect');
/** Elements at positions along one axis. */
export const gather: MethodFunction<'gather'> = /* @__PURE__ */ method('gather');
/** A copy with elements added at positions along one axis. */
export const scatterAdd: MethodFunction<'scatterAdd'> = /* @__PURE__ */ method('scatterAdd');
