/**
 * Random programs as data: inputs, and a list of operations on earlier values. Choices are plain numbers, so
 * that fast-check shrinks them; a choice that does not fit (shapes, size, magnitude, too close to a kink) is
 * left out when the program is built.
 */
import type { Tensor } from '@firsthand/autograd';
import fc from 'fast-check';
import type { Dense } from '../oracle/dense.ts';
import { sizeOf } from '../oracle/dense.ts';
import { samples } from '../oracle/samples.ts';
import { ELEMENTWISE } from './elementwise-operations.ts';
import type { Decide, Operation } from './operation.ts';
import { SHAPED } from './shaped-operations.ts';

interface Instruction {
  readonly name: string;
  readonly operation: Operation;
  /** Numbers of earlier values: inputs first, then results. */
  readonly a: number;
  readonly b: number;
  readonly detail: number;
}

export interface RandomProgram {
  readonly inputs: readonly Dense[];
  readonly instructions: readonly Instruction[];
}

const OPERATIONS: { readonly [name: string]: Operation } = { ...ELEMENTWISE, ...SHAPED };
const names = Object.keys(OPERATIONS);
const MAX_SIZE = 48;
const MAX_MAGNITUDE = 50;
/** Rounding must not change a decision. */
const MIN_DISTANCE = 1e-5;

interface Choice {
  readonly operation: number;
  readonly a: number;
  readonly b: number;
  readonly detail: number;
}

const choices: fc.Arbitrary<readonly Choice[]> = fc.array(
  fc.record({ operation: fc.nat(names.length - 1), a: fc.nat(15), b: fc.nat(15), detail: fc.nat(11) }),
  { minLength: 1, maxLength: 14 },
);
const shapes: fc.Arbitrary<readonly (readonly number[])[]> = fc.array(
  fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  {
    minLength: 1,
    maxLength: 3,
  },
);

/** Programs with at least one operation. */
export const programs: fc.Arbitrary<RandomProgram> = fc
  .record({ choices, shapes, seed: fc.nat(1000) })
  .map((choice) =>
    build(
      choice.shapes.map((shape, index) => samples(shape, -1.5, 1.5, choice.seed + index + 1)),
      choice.choices,
    ),
  )
  .filter(({ instructions }) => instructions.length > 0);

function build(inputs: readonly Dense[], list: readonly Choice[]): RandomProgram {
  const values = [...inputs];
  const instructions: Instruction[] = [];
  for (const choice of list) {
    const name = names[choice.operation]!;
    const instruction = {
      name,
      operation: OPERATIONS[name]!,
      a: choice.a % values.length,
      b: choice.b % values.length,
      detail: choice.detail,
    };
    const value = attempt(instruction, values);
    if (value === null) continue;
    instructions.push(instruction);
    values.push(value);
  }
  return { inputs, instructions };
}

function attempt({ operation, a, b, detail }: Instruction, values: readonly Dense[]): Dense | null {
  const [first, second] = [values[a]!, values[b]!];
  if (!operation.fits(first, second, detail)) return null;
  let nearest = Infinity;
  const value = operation.oracle(first, second, detail, (_, distance) => {
    nearest = Math.min(nearest, distance);
  });
  const small =
    sizeOf(value.shape) <= MAX_SIZE &&
    value.shape.length <= 4 &&
    value.data.every((each) => Math.abs(each) <= MAX_MAGNITUDE);
  return small && nearest > MIN_DISTANCE ? value : null;
}

/** All values of the program on other inputs, and the decisions taken on the way. */
export function evaluate(
  { instructions }: RandomProgram,
  inputs: readonly Dense[],
): { readonly values: readonly Dense[]; readonly decisions: string } {
  const values = [...inputs];
  const decisions: number[] = [];
  const decide: Decide = (branch) => decisions.push(branch);
  for (const { operation, a, b, detail } of instructions)
    values.push(operation.oracle(values[a]!, values[b]!, detail, decide));
  return { values, decisions: decisions.join() };
}

/** The same on tensors: inputs, then the result of each instruction. */
export function run({ instructions }: RandomProgram, inputs: readonly Tensor[]): Tensor[] {
  const values = [...inputs];
  for (const { operation, a, b, detail } of instructions)
    values.push(operation.tensor(values[a]!, values[b]!, detail));
  return values;
}

/** One line per instruction, for the report of a failure. */
export function describeProgram({ inputs, instructions }: RandomProgram): string {
  const lines = inputs.map(({ shape }, index) => `v${index}: input [${shape.join(', ')}]`);
  instructions.forEach(({ name, a, b, detail, operation }, index) => {
    const operands = operation.operands === 1 ? `v${a}` : `v${a}, v${b}`;
    lines.push(`v${index + inputs.length} = ${name}(${operands}; ${detail})`);
  });
  return lines.join('\n');
}
