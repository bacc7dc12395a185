/**
 * The conformance suite: what every device must give, as one call. A device joins by one line in a test file,
 * `describeConformance('name', createDevice)`; an operation gets its cases in the table that the type checker
 * says it is missing from.
 */
import { getDefaultDevice, setDefaultDevice } from '@firsthand/autograd';
import type { Device } from '@firsthand/autograd';
import type { Op } from '@firsthand/graph';
import { afterAll, beforeAll, describe } from 'vitest';
import recordedDerivatives from '../fixtures/derivatives.json' with { type: 'json' };
import recorded from '../fixtures/torch.json' with { type: 'json' };
import { describeBadInput } from './bad-input.ts';
import { describeBinary, describeWhere } from './cases/binary.ts';
import { describeCall, describeOutput } from './cases/composites.ts';
import { describeGather, describeScatter } from './cases/indexing.ts';
import { describeMethods } from './cases/methods.ts';
import { describeMovement } from './cases/movement.ts';
import { describeArgReduce, describeReduce, describeScan, describeSort } from './cases/reduce.ts';
import { describeScalars } from './cases/scalars.ts';
import {
  describeCast,
  describeConstant,
  describeIota,
  describeLeaf,
  describeRandom,
} from './cases/sources.ts';
import { describeUnary } from './cases/unary.ts';
import { describeFunctional } from './functional.ts';
import { describeTails } from './tails.ts';
import { describeHalfTraining } from './half-training.ts';
import { describeHalf } from './half.ts';
import { describeFixtures, describeTrainingFixtures } from './fixtures.ts';
import type { RecordedCase, TrainingFixtures } from './fixtures.ts';
import { describeGradientsOfValues } from './gradients-of-values.ts';
import type { GetDevice } from './get-device.ts';
import { describeTrees } from './trees.ts';
import { describeRandomEnds } from './random-ends.ts';
import { describeIEEE } from './ieee.ts';
import { describeHigherOrders } from './higher-orders.ts';
import type { RecordedDerivatives } from './higher-orders.ts';
import { describeLimits } from './limits.ts';
import { describeRandomEffects } from './random/effects.ts';
import { describeRandomGraphs } from './random/graphs.ts';
import { describeSequences } from './sequences.ts';

type Section = (device: GetDevice, randomPrograms: number) => void;

/** The tests of every primitive: one without a section does not compile. */
const PRIMITIVES: { readonly [K in Op]: Section } = {
  leaf: describeLeaf,
  const: describeConstant,
  iota: describeIota,
  random: describeRandom,
  cast: describeCast,
  unary: describeUnary,
  binary: describeBinary,
  where: describeWhere,
  reduce: describeReduce,
  argReduce: describeArgReduce,
  prefixScan: describeScan,
  movement: describeMovement,
  gather: describeGather,
  scatter: describeScatter,
  sort: describeSort,
  call: describeCall,
  output: describeOutput,
};

/** Written by fixtures/record_fixtures.py; the types say what it writes. */
const FIXTURES = recorded as unknown as TrainingFixtures & { readonly cases: readonly RecordedCase[] };

/** Written by fixtures/record_derivatives.py. */
const DERIVATIVES = recordedDerivatives.cases as unknown as readonly RecordedDerivatives[];

/** The tests of what spans several operations. */
const ACROSS: { readonly [title: string]: Section } = {
  methods: describeMethods,
  functional: describeFunctional,
  'scalars and truth values': describeScalars,
  'derivatives of higher order': (device) => describeHigherOrders(device, DERIVATIVES),
  structures: describeTrees,
  'gradients of values': describeGradientsOfValues,
  sequences: describeSequences,
  'bad input': describeBadInput,
  'ends of random numbers': describeRandomEnds,
  float16: describeHalf,
  tails: describeTails,
  'training in float16': describeHalfTraining,
  'IEEE 754': describeIEEE,
  limits: describeLimits,
  'PyTorch: functions': (device) => describeFixtures(device, FIXTURES.cases),
  'PyTorch: training': (device) => describeTrainingFixtures(device, FIXTURES),
  'random graphs': describeRandomGraphs,
  'random effects': describeRandomEffects,
};

export interface ConformanceOptions {
  /** How many random programs of each kind to run. */
  readonly randomPrograms?: number;
}

/**
 * Declares the whole suite for one device, which is made before its first test and disposed after the last.
 */
export function describeConformance(
  name: string,
  createDevice: () => Device | Promise<Device>,
  { randomPrograms = 200 }: ConformanceOptions = {},
): void {
  describe(name, () => {
    let current: Device | null = null;
    let outer: Device | null = null;
    const device: GetDevice = () => {
      if (current === null) throw new Error('the device exists only while tests run');
      return current;
    };
    beforeAll(async () => {
      outer = getDefaultDevice();
      current = await createDevice();
      setDefaultDevice(current);
    });
    afterAll(() => {
      if (outer !== null) setDefaultDevice(outer);
      current?.dispose();
    });
    for (const [title, declare] of Object.entries({ ...PRIMITIVES, ...ACROSS })) {
      describe(title, () => {
        declare(device, randomPrograms);
      });
    }
  });
}
