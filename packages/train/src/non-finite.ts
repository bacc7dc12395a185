/**
 * A loss that is NaN or infinite ends a training: every later step would be made of it. It is looked for
 * where losses are read anyway, some steps after they were computed, so that looking costs no wait for the
 * device.
 */
import { NonFiniteError } from '@firsthand/autograd';
import type { Fields } from '@firsthand/data';
import { array, fromFloat16Bits } from '@firsthand/linalg';

/** What becomes of a training whose loss is not finite. */
export type NonFinitePolicy = 'error' | 'warn' | 'ignore';

/** Where in a training a loss belongs. */
export interface StepPosition {
  /** counted from 0 */
  readonly epoch: number;
  /** counted from 1: the optimizer step that the batch led to */
  readonly step: number;
  /** the highest of the optimizer's, as its groups were made: a schedule's factor is left out */
  readonly learningRate: number;
}

/** The first field of a batch that holds a number that is not finite, and that number. */
function firstNonFinite(fields: Fields): readonly [string, number] | null {
  for (const [name, field] of Object.entries(fields)) {
    const { data, dtype } = array(field, { copy: false }).contiguous();
    const value = (index: number): number =>
      dtype === 'float16' ? fromFloat16Bits(data[index]!) : data[index]!;
    for (let index = 0; index < data.length; index++)
      if (!Number.isFinite(value(index))) return [name, value(index)];
  }
  return null;
}

/** A `NonFiniteError` of a training: its loss is NaN or infinite. */
export class NonFiniteLossError extends NonFiniteError {
  readonly loss: number;
  /** counted from 0 */
  readonly epoch: number;
  /** counted from 1: the optimizer step that the batch led to */
  readonly step: number;

  /** @param fields the batch that the loss is of */
  constructor(loss: number, { epoch, step, learningRate }: StepPosition, fields: Fields) {
    const found = firstNonFinite(fields);
    const cause = found === null ? 'its batch is finite' : `${found[0]} of its batch holds ${found[1]}`;
    super({
      operation: 'fit',
      problem: `the loss is ${loss} at step ${step}, in epoch ${epoch}; ${cause}`,
      remedy: `${found === null ? `try a learning rate below ${learningRate}, or clip` : 'repair the data'}, or go on with nonFinite: 'warn'`,
    });
    this.loss = loss;
    this.epoch = epoch;
    this.step = step;
  }
}
