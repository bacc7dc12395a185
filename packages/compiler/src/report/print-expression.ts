/**
 * Scalar expressions as text, in two steps. Numbering gives equal expressions one number, whatever objects
 * they are made of; printing writes each number of a loop body once, as a line of its own where it occurs
 * more than once or has become long. Both take time linear in the expression.
 */
import { BINARY_RULES, UNARY_RULES, type BinaryKind, type DType, type UnaryKind } from '@firsthand/graph';
import type { Atom, Index } from '../ir/index-expression.ts';
import type { Kernel, RowLoops, Scalar, ScalarOp } from '../ir/kernel.ts';
import { inputsOf, scalarsIn, type ScalarOf } from '../ir/scalars.ts';

/** How tightly an operator binds; operands that bind less tightly stand in parentheses. */
const OR = 0;
const AND = 1;
const COMPARISON = 2;
const SUM = 3;
const PRODUCT = 4;
const PREFIX = 5;
const ATOMIC = 6;

/**
 * Longer expressions get a name, so that lines stay readable and the text of a deep expression stays linear
 * in its size.
 */
const LONG = 100;
const OPERANDS = 'abcdefghpquvwxyz';
const AXES = 'ijklmn';

/** The letter of an operand: a, b, …; the letters of axes, reductions and names are left out. */
export function operandName(operand: number): string {
  return lettered(operand, OPERANDS);
}

/** The letter of a loop variable: i, j, … from the outermost. */
export function axisName(axis: number): string {
  return lettered(axis, AXES);
}

function lettered(position: number, letters: string): string {
  const round = Math.floor(position / letters.length);
  return `${letters[position % letters.length]!}${round === 0 ? '' : round}`;
}

/** An index expression: `1024·i + j − 1`. */
export function printIndex({ offset, terms }: Index): string {
  let text = '';
  for (const { coefficient, atom } of terms) text += signed(text, coefficient, printAtom(atom));
  return offset !== 0 || text === '' ? text + signed(text, offset, '') : text;
}

/** A term after `text`: with the operator between them, or with its own sign at the start. */
function signed(text: string, coefficient: number, atom: string): string {
  const sign = coefficient < 0 ? '−' : '';
  const magnitude = Math.abs(coefficient);
  const term = atom === '' ? String(magnitude) : magnitude === 1 ? atom : `${magnitude}·${atom}`;
  return text === '' ? sign + term : ` ${coefficient < 0 ? '−' : '+'} ${term}`;
}

function printAtom(atom: Atom): string {
  if (atom.kind === 'axis') return axisName(atom.axis);
  const of = printIndex(atom.of);
  return atom.kind === 'quotient' ? `⌊(${of})/${atom.by}⌋` : `((${of}) mod ${atom.by})`;
}

/** Text, and how tightly its outermost operator binds. */
interface Printed {
  readonly text: string;
  readonly binds: number;
}

const atomic = (text: string): Printed => ({ text, binds: ATOMIC });

/** The text where an operand must bind at least so tightly. */
function within({ text, binds }: Printed, least: number): string {
  return binds >= least ? text : `(${text})`;
}

const SUFFIX: { readonly [K in DType]: string } = {
  float32: '',
  float64: 'd',
  float16: 'h',
  int32: 'i',
  uint32: 'u',
  bool: 'b',
};

/**
 * A constant: the shortest decimal that reads back as the same number, and a letter for its dtype (none for
 * float32).
 */
function printConstant({ value, dtype }: ScalarOf<'const'>): string {
  if (dtype === 'bool' && (value === 0 || value === 1)) return value === 1 ? 'true' : 'false';
  const sign = value < 0 || Object.is(value, -0) ? '−' : '';
  const magnitude = Math.abs(value);
  return `${sign}${magnitude === Infinity ? '∞' : magnitude}${SUFFIX[dtype]}`;
}

const prefix =
  (sign: string) =>
  (x: Printed): Printed => ({ text: `${sign}${within(x, PREFIX)}`, binds: PREFIX });
const named =
  (name: string) =>
  (...inputs: readonly Printed[]): Printed =>
    atomic(`${name}(${inputs.map(({ text }) => text).join(', ')})`);
/** A chain of these reads from left to right. */
const infix =
  (sign: string, binds: number) =>
  (a: Printed, b: Printed): Printed => ({
    text: `${within(a, binds)} ${sign} ${within(b, binds + 1)}`,
    binds,
  });
const comparison =
  (sign: string) =>
  (a: Printed, b: Printed): Printed => ({
    text: `${within(a, SUM)} ${sign} ${within(b, SUM)}`,
    binds: COMPARISON,
  });

/** Functions that have a sign of their own; all others are written by name. */
const UNARY_SIGNS: { readonly [K in UnaryKind]?: (x: Printed) => Printed } = {
  neg: prefix('−'),
  logicalNot: prefix('!'),
};

const BINARY: { readonly [K in BinaryKind]: (a: Printed, b: Printed) => Printed } = {
  add: infix('+', SUM),
  sub: infix('−', SUM),
  mul: infix('·', PRODUCT),
  div: infix('/', PRODUCT),
  pow: named('pow'),
  mod: named('mod'),
  maximum: named('max'),
  minimum: named('min'),
  eq: comparison('=='),
  ne: comparison('!='),
  lt: comparison('<'),
  le: comparison('<='),
  gt: comparison('>'),
  ge: comparison('>='),
  logicalAnd: infix('&&', AND),
  logicalOr: infix('||', OR),
};

/** A constant's own minus sign is no operator: −(1) is not −1. */
const negated = (x: Scalar, printed: Printed): Printed =>
  x.op === 'const' ? { text: printed.text, binds: OR } : printed;

const PRINT: { readonly [K in ScalarOp]: (scalar: ScalarOf<K>, inputs: readonly Printed[]) => Printed } = {
  const: (scalar) => atomic(printConstant(scalar)),
  load: ({ operand, index }) => atomic(`${operandName(operand)}[${printIndex(index)}]`),
  index: ({ index }) => atomic(`⟨${printIndex(index)}⟩`),
  inside: ({ index, low, high }) => ({ text: `${low} ≤ ${printIndex(index)} < ${high}`, binds: COMPARISON }),
  gather: ({ operand, index, stride, extent }, [position]) =>
    atomic(`${operandName(operand)}[${printPosition(index, stride, position!.text, extent)}]`),
  random: ({ dtype, index }, inputs) => named(`random_${dtype}`)(...inputs, atomic(printIndex(index))),
  unary: ({ kind, x }, [printed]) =>
    (UNARY_SIGNS[kind] ?? named(kind))(kind === 'neg' ? negated(x, printed!) : printed!),
  binary: ({ kind }, [a, b]) => BINARY[kind](a!, b!),
  where: (_, inputs) => named('where')(...inputs),
  cast: ({ dtype }, inputs) => named(dtype)(...inputs),
  reduced: ({ reduction }) => atomic(`r${reduction}`),
  total: () => atomic('total'),
};

/** An index that data decides: `j + 4·{a[i] in 0..10}`. */
export function printPosition(index: Index, stride: number, position: string, extent: number): string {
  const base = printIndex(index);
  return `${base === '0' ? '' : `${base} + `}${stride === 1 ? '' : `${stride}·`}{${position} in 0..${extent}}`;
}

/** What a kernel does with rows. */
function rowLoopsOf(kernel: Kernel): RowLoops | null {
  return kernel.kind === 'loop' ? kernel : kernel.kind === 'contract' ? kernel.rowEpilogue : null;
}

/** The dtype that a reader would expect; where an expression has another, the text says so. */
const EXPECTED: { readonly [K in ScalarOp]: (scalar: ScalarOf<K>, kernel: Kernel) => DType | undefined } = {
  const: ({ dtype }) => dtype,
  load: ({ operand }, { operands }) => operands[operand]?.dtype,
  index: () => 'int32',
  inside: () => 'bool',
  gather: ({ operand }, { operands }) => operands[operand]?.dtype,
  random: ({ dtype }) => dtype,
  unary: ({ kind, x }) =>
    UNARY_RULES[kind] === 'float' || UNARY_RULES[kind] === 'number' ? x.dtype : 'bool',
  binary: ({ kind, a }) => (BINARY_RULES[kind] === 'arithmetic' ? a.dtype : 'bool'),
  where: ({ a }) => a.dtype,
  cast: ({ dtype }) => dtype,
  reduced: ({ reduction }, kernel) => rowLoopsOf(kernel)?.reductions[reduction]?.dtype,
  total: (_, kernel) => ('dtype' in kernel ? kernel.dtype : undefined),
};

/**
 * The expressions of one kernel, numbered: equal ones share a number, and inputs have smaller numbers than
 * what they are inputs of.
 */
export class Expressions {
  readonly #kernel: Kernel;
  readonly #numbers = new Map<Scalar, number>();
  readonly #byText = new Map<string, number>();
  /** One object for each number, and the numbers of its inputs. */
  readonly #scalars: Scalar[] = [];
  readonly #inputs: (readonly number[])[] = [];
  /** Expressions without inputs, printed. */
  readonly #leaves = new Map<number, Printed>();
  #names = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /**
   * Prints the expressions of one loop body.
   * @returns lines that name what the expressions share, and the expressions
   */
  print(roots: readonly Scalar[]): { readonly lines: readonly string[]; readonly texts: readonly string[] } {
    const numbers = roots.map((root) => this.#number(root));
    const uses = this.#countUses(numbers);
    const printed = new Map<number, Printed>();
    const lines: string[] = [];
    const ends = new Set(numbers);
    for (const number of [...uses.keys()].sort((a, b) => a - b)) {
      const inputs = this.#inputs[number]!;
      const written =
        this.#leaves.get(number) ??
        this.#write(
          this.#scalars[number]!,
          inputs.map((input) => printed.get(input)!),
        );
      const used = uses.get(number)!;
      const long = written.text.length > LONG && !(used === 1 && ends.has(number));
      const isNamed = inputs.length > 0 && (used > 1 || long);
      if (isNamed) lines.push(`t${this.#names} = ${written.text}`);
      printed.set(number, isNamed ? atomic(`t${this.#names++}`) : written);
    }
    return { lines, texts: numbers.map((number) => printed.get(number)!.text) };
  }

  #number(root: Scalar): number {
    for (const scalar of scalarsIn([root], (each) => this.#numbers.has(each))) {
      const inputs = inputsOf(scalar).map((input) => this.#numbers.get(input)!);
      const printed = this.#write(
        scalar,
        inputs.map((number) => atomic(`#${number}`)),
      );
      const number = this.#byText.get(printed.text) ?? this.#scalars.length;
      this.#numbers.set(scalar, number);
      if (number < this.#scalars.length) continue;
      this.#byText.set(printed.text, number);
      if (inputs.length === 0) this.#leaves.set(number, printed);
      this.#scalars.push(scalar);
      this.#inputs.push(inputs);
    }
    return this.#numbers.get(root)!;
  }

  #write(scalar: Scalar, inputs: readonly Printed[]): Printed {
    const print = PRINT[scalar.op] as (scalar: Scalar, inputs: readonly Printed[]) => Printed;
    const expected = EXPECTED[scalar.op] as (scalar: Scalar, kernel: Kernel) => DType | undefined;
    const printed = print(scalar, inputs);
    return expected(scalar, this.#kernel) === scalar.dtype
      ? printed
      : atomic(`(${printed.text}): ${scalar.dtype}`);
  }

  /** How often each expression below the roots occurs. */
  #countUses(roots: readonly number[]): Map<number, number> {
    const uses = new Map<number, number>();
    const stack = [...roots];
    for (let number = stack.pop(); number !== undefined; number = stack.pop()) {
      const before = uses.get(number) ?? 0;
      uses.set(number, before + 1);
      if (before === 0) stack.push(...this.#inputs[number]!);
    }
    return uses;
  }
}
