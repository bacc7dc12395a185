// "Add an operation" of CONTRIBUTING.md is true: the hyperbolic cosine is added to a copy of the repository
// by the steps that the page names. The type checker lists the tables that miss it, and the conformance suite
// then holds it to its values and derivatives, on every device that computes kernels too.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { command, tool } from './support/command.ts';
import { read, root } from './support/repository.ts';

const copy = join(root, 'tests/.operation');

/** Text that is inserted before the line that begins with `before`. */
interface Insertion {
  readonly file: string;
  readonly before: string;
  readonly text: string;
}

const insertions: readonly Insertion[] = [
  { file: 'packages/linalg/src/unary.ts', before: "  | 'tan'", text: "  | 'cosh'" },
  {
    file: 'packages/linalg/src/unary.ts',
    before: '  tan:        {',
    text: "  cosh: { operands: 'float', cost: 20, passesNaN: true, isNonNegative: true, isInteger: false, rounds: true, isReproducible: false },",
  },
  {
    file: 'packages/linalg/src/unary.ts',
    before: '  tan:          float(',
    text: '  cosh: float(Math.cosh, (n, x, i, s, y, o) => { for (let k = 0; k < n; k++, i += s) y[o + k] = Math.cosh(x[i]!); }),',
  },
  {
    file: 'packages/linalg/src/unary.ts',
    before: 'export const tan: ',
    text: "export const cosh: UnaryFunction = (x) => unary('cosh', x);\n/** Tangent. */",
  },
  {
    file: 'packages/autograd/src/rules.ts',
    before: '  tan: ',
    text: "  // y = (eˣ + e⁻ˣ)/2: dx = g·(eˣ − e⁻ˣ)/2\n  cosh: ['x', (g, x) => mul(g, mul(sub(exp(x), exp(neg(x))), 0.5))],",
  },
  {
    file: 'packages/autograd/src/tensor.ts',
    before: '  tanh(): Tensor {',
    text: "  cosh(): Tensor {\n    return this.unary('cosh', arguments.length);\n  }",
  },
  {
    file: 'packages/conformance/src/cases/unary.ts',
    before: '  tan: {',
    text: '  cosh: { f: Math.cosh, domain: [-3, 3], slope: Math.sinh, edges: [[-0, 1, 0], [-Infinity, Infinity, -Infinity]] },',
  },
  {
    file: 'packages/webgpu/src/scalar/operations.ts',
    before: '  tan: ',
    text: "  cosh: { f32: '(0.5 * (exp_f32(a) + exp_f32(-a)))' },",
  },
  { file: 'packages/wasm/src/math/functions.ts', before: '  tan: 1', text: '  cosh: 1,' },
  { file: 'packages/wasm/src/math/functions.ts', before: '    tan: ', text: '    cosh: Math.cosh,' },
  {
    file: 'packages/wasm/src/math/functions.ts',
    before: '  tan,',
    text: `  cosh: (code, x, features) => {
    const minus = code.local('v128');
    code.get(x).op('f32x4.neg').set(minus);
    exp(code, x, features);
    exp(code, minus, features);
    code.op('f32x4.add').f32x4(0.5).op('f32x4.mul').release(minus);
  },`,
  },
  { file: 'packages/wasm/src/math/functions.ts', before: "  tan: ['tan']", text: '  cosh: [],' },
];
/** Where the tables are that the type checker must name once the kind exists in linalg. */
const tables = [
  'packages/autograd/src/rules.ts',
  'packages/conformance/src/cases/unary.ts',
  'packages/webgpu/src/scalar/operations.ts',
];

function insert({ file, before, text }: Insertion): void {
  const path = join(copy, file);
  const lines = readFileSync(path, 'utf8').split('\n');
  const at = lines.findIndex((line) => line.startsWith(before));
  if (at < 0) throw new Error(`${file} has no line that begins with ${before}`);
  writeFileSync(path, lines.toSpliced(at, 0, text).join('\n'));
}

const typecheck = (): string => command(copy, tool('tsc'), '-p', 'packages/conformance');

beforeAll(() => {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  const wanted = (path: string): boolean =>
    !/\/(?:dist|\.turbo|\.vite|\.cache|bench)(?:\/|$)/.test(path.slice(root.length));
  for (const part of [
    'packages',
    'tests/support',
    'tsconfig.base.json',
    'tsconfig.check.json',
    'vitest.shared.ts',
  ]) {
    cpSync(join(root, part), join(copy, part), { recursive: true, verbatimSymlinks: true, filter: wanted });
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('a new kind of elementwise function is missed by name, in every table', () => {
  const [inLinalg, elsewhere] = [
    insertions.filter(({ file }) => file.includes('linalg')),
    insertions.filter(({ file }) => !file.includes('linalg')),
  ];
  inLinalg.forEach(insert);
  let complaint = '';
  try {
    typecheck();
  } catch (error) {
    complaint = String(error);
  }
  for (const table of tables)
    expect(complaint).toMatch(new RegExp(`${table.slice('packages/'.length)}.*\\n?.*cosh`));
  elsewhere.forEach(insert);
  expect(typecheck).not.toThrow();
}, 120_000);

test('four files are touched and one of each device: the ones that CONTRIBUTING.md names', () => {
  const files = [...new Set(insertions.map(({ file }) => file))];
  expect(files.filter((file) => !/^packages\/(wasm|webgpu)\//.test(file))).toHaveLength(4);
  expect(files).toHaveLength(6);
  const guide = read('CONTRIBUTING.md');
  for (const file of files) expect(guide).toContain(file);
});

test('the conformance suite holds the new operation to its values and derivatives', () => {
  const report = command(
    join(copy, 'packages/conformance'),
    tool('vitest'),
    'run',
    'test/reference.test.ts',
    'test/interpreter.test.ts',
    'test/wasm.test.ts',
    'test/webgpu.test.ts',
    '-t',
    'cosh',
    '--reporter=json',
  );
  const { numPassedTests, numFailedTests } = JSON.parse(report.slice(report.indexOf('{'))) as {
    numPassedTests: number;
    numFailedTests: number;
  };
  expect(numFailedTests).toBe(0);
  expect(numPassedTests).toBeGreaterThan(4 * 3);
}, 120_000);
