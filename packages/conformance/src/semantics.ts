/**
 * The rules of docs/semantics.md as tests, one `describe` per rule, for any device. They count compilations,
 * programs, recomputed nodes and live bytes, because most of the rules are about how often and where, and
 * values alone cannot tell.
 */
import { describe } from 'vitest';
import { describeCompile } from './semantics/compile.ts';
import { describeEffects } from './semantics/effects.ts';
import { describeFailure } from './semantics/failure.ts';
import { describeGradients } from './semantics/gradients.ts';
import { describeGuards, describeSettings } from './semantics/guards.ts';
import { describeLifetime } from './semantics/lifetime.ts';
import { describeMachine } from './semantics/machine.ts';
import { describeNumbers } from './semantics/numbers.ts';
import { describeSaved } from './semantics/saved.ts';
import { describeTrace } from './semantics/trace.ts';
import { describeLoops, describeValues } from './semantics/values.ts';
import { describeVarying } from './semantics/varying.ts';
import type { CreateDevice } from './semantics/fixture.ts';

export interface SemanticsOptions {
  /** How many steps the loop of tiny steps takes, whose memory must stay flat. */
  readonly tinySteps?: number;
}

/**
 * Declares the tests of all rules for the devices that `createDevice` makes: a device joins with one line.
 */
export function describeSemantics(
  name: string,
  createDevice: CreateDevice,
  { tinySteps = 4000 }: SemanticsOptions = {},
): void {
  describe(`semantics on ${name}`, () => {
    describeValues(createDevice);
    describeEffects(createDevice);
    describeLifetime(createDevice);
    describeGradients(createDevice);
    describeSaved(createDevice);
    describeCompile(createDevice);
    describeGuards(createDevice);
    describeSettings(createDevice);
    describeVarying(createDevice);
    describeLoops(createDevice);
    describeTrace(createDevice);
    describeNumbers(createDevice);
    describeFailure(createDevice);
    describeMachine(createDevice, tinySteps);
  });
}
