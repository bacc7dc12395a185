/**
 * The reference interpreter: a program and its arguments, host arrays in, host arrays out. It inlines
 * composites, evaluates node by node with `linalg`, and drops each intermediate after its last use. It
 * defines what every device has to compute.
 */
import { NDArray } from '@firsthand/linalg';
import type { TypedArray } from '@firsthand/linalg';
import { DeviceError } from '../ir/errors.ts';
import { postOrder } from '../ir/traverse.ts';
import type { Composite, Node, Program } from '../ir/types.ts';
import { EVALUATE, REFERENCE_KERNELS } from './evaluate.ts';
import type { ReferenceKernel } from './evaluate.ts';
import { inlineComposites } from './lower.ts';

/** Told of each change in the bytes that the intermediates of a run occupy. */
export interface AllocationCounter {
  change(bytes: number): void;
}

/** A value during a run: an array, or the arrays of a kernel with several outputs. */
type Value = NDArray | readonly NDArray[];

/**
 * The outputs of a program: its effects' values, then its roots'. Arrays may be views of each other and of
 * `args`.
 * @param args an array for each of `program.args`, of its shape and dtype
 */
export function evaluate(program: Program, args: readonly NDArray[]): readonly NDArray[] {
  return new Interpreter(program).run(args);
}

/** A program prepared for any number of runs. */
export class Interpreter {
  /** The nodes in the order in which they are evaluated, without composites that have no kernel. */
  readonly steps: readonly Node[];
  /** The step of each output. */
  readonly outputs: readonly number[];
  readonly #kernels: ReadonlyMap<Composite, ReferenceKernel>;
  /** For each step, the steps of its inputs. */
  readonly #inputs: readonly (readonly number[])[];
  /** For each step, the values of which it is the last use. */
  readonly #lastUses: readonly (readonly number[])[];
  /** The step of each argument. */
  readonly #args: readonly number[];

  /** @param kernels composites that are computed whole; all others are computed by their bodies */
  constructor(program: Program, kernels: ReadonlyMap<Composite, ReferenceKernel> = REFERENCE_KERNELS) {
    this.#kernels = kernels;
    const wanted = [...program.effects.map((effect) => effect.node), ...program.roots];
    const lowered = inlineComposites([...wanted, ...program.args], (composite) => kernels.has(composite));
    this.steps = postOrder(lowered, (node) => node.inputs);
    this.#inputs = this.steps.map((step) => step.inputs.map((input) => input.slot));
    this.outputs = lowered.slice(0, wanted.length).map((node) => node.slot);
    this.#args = lowered.slice(wanted.length).map((node) => node.slot);
    this.#lastUses = lastUses(this.#inputs, this.outputs);
  }

  /** The arrays of the outputs; `counter` follows the memory of the intermediates. */
  run(args: readonly NDArray[], counter: AllocationCounter | null = null): readonly NDArray[] {
    const values: (Value | null)[] = this.steps.map(() => null);
    this.#args.forEach((step, index) => {
      values[step] = args[index]!;
    });
    const memory =
      counter === null ? null : new IntermediateMemory(new Set(args.map(({ data }) => data)), counter);
    this.steps.forEach((step, index) => {
      const inputs = this.#inputs[index]!.map((input) => values[input]!);
      const value = step.op === 'leaf' ? values[index]! : this.#evaluate(step, inputs);
      values[index] = value;
      memory?.add(value);
      for (const dead of this.#lastUses[index]!) {
        memory?.drop(values[dead]!);
        values[dead] = null;
      }
    });
    const outputs = this.outputs.map((step) => values[step] as NDArray);
    if (memory !== null) for (const value of values) if (value !== null) memory.drop(value);
    return outputs;
  }

  #evaluate(step: Node, inputs: readonly Value[]): Value {
    if (step.op === 'output') return (inputs[0] as readonly NDArray[])[step.attrs.index]!;
    if (step.op === 'call')
      return this.#kernels.get(step.attrs.composite)!(step.attrs.attrs, ...(inputs as readonly NDArray[]));
    if (step.op === 'leaf') throw new DeviceError('reference: a leaf that is no argument');
    const evaluateStep = EVALUATE[step.op] as (node: Node, ...inputs: readonly NDArray[]) => NDArray;
    return evaluateStep(step, ...(inputs as readonly NDArray[]));
  }
}

/** Counts the bytes of intermediates by reference counts: views of one buffer count once, arguments never. */
class IntermediateMemory {
  readonly #borrowed: ReadonlySet<TypedArray>;
  readonly #counter: AllocationCounter;
  readonly #referenceCounts = new Map<TypedArray, number>();

  constructor(borrowed: ReadonlySet<TypedArray>, counter: AllocationCounter) {
    this.#borrowed = borrowed;
    this.#counter = counter;
  }
  add(value: Value): void {
    for (const { data } of arraysOf(value)) {
      if (this.#borrowed.has(data)) continue;
      const count = this.#referenceCounts.get(data) ?? 0;
      if (count === 0) this.#counter.change(data.byteLength);
      this.#referenceCounts.set(data, count + 1);
    }
  }
  drop(value: Value): void {
    for (const { data } of arraysOf(value)) {
      const count = this.#referenceCounts.get(data);
      if (count === undefined) continue;
      if (count === 1) {
        this.#referenceCounts.delete(data);
        this.#counter.change(-data.byteLength);
      } else {
        this.#referenceCounts.set(data, count - 1);
      }
    }
  }
}

function arraysOf(value: Value): readonly NDArray[] {
  return value instanceof NDArray ? [value] : value;
}

/** For each step, the values of which it is the last use; outputs are never dropped. */
function lastUses(
  inputs: readonly (readonly number[])[],
  outputs: readonly number[],
): readonly (readonly number[])[] {
  const last = new Map<number, number>();
  inputs.forEach((list, step) => {
    for (const input of list) last.set(input, step);
  });
  const dead: number[][] = inputs.map(() => []);
  const live = new Set(outputs);
  for (const [value, step] of last) if (!live.has(value)) dead[step]!.push(value);
  return dead;
}
