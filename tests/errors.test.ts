// Errors carry fields: what a user can bring about by a wrong call is thrown with the operation and what was
// expected, of which its message is composed. The rule is first shown to fail. What may do without stands in
// a list, by its reason.
import { describe, expect, test } from 'vitest';

import { errorClasses, type ErrorFault, errorFaults } from './support/errors.ts';
import { filesUnder, publicPackages, read } from './support/repository.ts';

/** A file, and words of the expression. */
type Permitted = readonly [path: string, words: string];

/** What needs no fields, by the reason. */
const PERMITTED: Readonly<Record<string, readonly Permitted[]>> = {
  'no call brings it about: it would be a fault of ours': [
    ['packages/autograd/src/replay.ts', 'neither argument nor state'],
    ['packages/compiler/src/interpreter/expression.ts', 'interpreter: '],
    ['packages/graph/src/ir/primitives.ts', 'is missing'],
    ['packages/graph/src/reference/interpreter.ts', 'a leaf that is no argument'],
    ['packages/runtime/src/runtime.ts', 'no value'],
    ['packages/webgpu/src/scalar/operations.ts', 'does not take'],
  ],
  'the platform fails, and no call is wrong': [
    ['packages/runtime/src/run-tracker.ts', 'String(error)'],
    ['packages/wasm/src/engine/instantiate.ts', 'does not compile'],
    ['packages/wasm/src/runtime/executable.ts', 'a run has failed'],
    ['packages/wasm/src/threads/team.ts', 'a worker thread has crashed'],
    ['packages/webgpu/src/runtime/commands.ts', 'error.message'],
    ['packages/webgpu/src/runtime/session.ts', 'has refused what it was told'],
    ['packages/webgpu/src/runtime/session.ts', 'has been lost'],
    ['packages/webgpu/src/runtime/session.ts', 'messageOf(error)'],
    ['packages/webgpu/src/self-test.ts', 'was lost while it was being tested'],
  ],
  'a node keeps the facts': [['packages/autograd/src/gradient.ts', 'closed']],
  'any read of the value brings it about': [['packages/runtime/src/buffer-reference.ts', 'operation: null']],
  'it is about a result, for which nothing was expected': [
    ['packages/train/src/non-finite.ts', 'the loss is'],
  ],
};

const permits = ([path, words]: Permitted, fault: ErrorFault): boolean =>
  fault.path === path && fault.code.includes(words);

describe('the rule can fail', () => {
  const ours =
    'export class OurError extends FirsthandError {}\nexport class NextError extends OurError {}\nclass Other extends Error {}\n';
  const composed =
    'class MadeError extends OurError { constructor(x) { super({ operation: x, problem: x }); } }\n';
  const lacks = (text: string): string[] => {
    const classes = errorClasses(
      new Map([
        ['a.ts', ours],
        ['b.ts', text],
      ]),
    );
    return errorFaults('b.ts', text, classes).map((fault) => `${fault.line} lacks ${fault.lacks}`);
  };

  test.each([
    ['a string', "throw new OurError('f: no');", '1 lacks facts'],
    ['a template', 'f();\nthrow new NextError(`f: ${x}`);', '2 lacks facts'],
    ['a message that was made before', 'const e = new FirsthandError(message);', '1 lacks facts'],
    ['no operation', "throw new OurError({ expected: 'a' });", '1 lacks operation'],
    [
      'null for the operation',
      "throw new OurError({ operation: null, expected: 'a' });",
      '1 lacks operation',
    ],
    ['nothing expected', "throw new OurError({ operation: 'f', problem: 'no' });", '1 lacks expected'],
    ['an empty text', "throw new OurError({ operation: 'f', expected: '' });", '1 lacks expected'],
    ['a class that composes its facts', composed, '1 lacks expected'],
  ])('%s', (_, text, fault) => {
    expect(lacks(text)).toEqual([fault]);
  });

  test('facts, errors of other kinds and classes that were told all of it have no fault', () => {
    expect(lacks("throw new NextError({ operation, problem: `no`, expected: 'a' }, { cause });")).toEqual([]);
    expect(lacks("throw new Other('no'); throw new TypeError('no');")).toEqual([]);
    expect(lacks(`${composed.replace('problem', 'expected')}throw new MadeError('f');`)).toEqual([]);
  });
});

describe('errors of the packages', () => {
  const texts = new Map(
    publicPackages.flatMap(({ folder }) =>
      filesUnder(`${folder}/src`, '.ts').map((path) => [path, read(path)] as const),
    ),
  );
  const classes = errorClasses(texts);
  const faults = [...texts].flatMap(([path, text]) => errorFaults(path, text, classes));
  const permitted = Object.values(PERMITTED).flat();

  test('their classes are found', () => {
    expect([...classes.given]).toEqual(
      expect.arrayContaining(['FirsthandError', 'ShapeError', 'DeviceError', 'FormatError']),
    );
    expect([...classes.composed]).toEqual(expect.arrayContaining(['StateDictError', 'NonFiniteLossError']));
  });

  test('are made with the operation and what was expected', () => {
    const refused = faults.filter((fault) => !permitted.some((each) => permits(each, fault)));
    expect(refused.map(({ path, line, code, lacks }) => `${path}:${line} lacks ${lacks}: ${code}`)).toEqual(
      [],
    );
  });

  test('nothing is permitted that is not there', () => {
    expect(permitted.filter((each) => !faults.some((fault) => permits(each, fault)))).toEqual([]);
  });
});
