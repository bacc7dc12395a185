/**
 * The self-test of an adapter, once when a device is made. Drivers differ in their treatment of NaN and
 * infinity, which WGSL lets them ignore, and in the invocations of a subgroup. A feature that fails is not
 * used where kernels have an alternative; otherwise the fault is reported in `findings`.
 */
import { DeviceError, type BinaryKind, type UnaryKind } from '@firsthand/graph';
import { messageOf } from './runtime/message.ts';
import type { AdapterProfile } from './emit/profile.ts';
import {
  binaryExpression,
  castExpression,
  declarationsOf,
  opaqueExpression,
  unaryExpression,
  type Expression,
} from './scalar/operations.ts';
import { SUBGROUPS_DIRECTIVE } from './emit/module.ts';
import { BUFFER_USAGE, MAP_READ } from './runtime/webgpu-flags.ts';

/** The result of the self-test. */
export interface SelfTest {
  /** The profile without the features that failed. */
  readonly profile: AdapterProfile;
  /** A sentence for each fault. */
  readonly findings: readonly string[];
}

/** One computation with a known result. */
interface Check {
  readonly title: string;
  readonly expression: (x: string, y: string) => Expression;
  readonly x: number;
  readonly y: number;
  readonly expected: number;
}

const unary = (kind: UnaryKind, x: number, expected: number): Check => ({
  title: `${kind}(${x})`,
  expression: (text) => unaryExpression(kind, 'float32', text),
  x,
  y: 0,
  expected,
});
const binary = (kind: BinaryKind, x: number, y: number, expected: number): Check => ({
  title: `${kind}(${x}, ${y})`,
  expression: (a, b) => binaryExpression(kind, 'float32', a, b),
  x,
  y,
  expected,
});
const compared = (kind: BinaryKind, x: number, y: number, expected: boolean): Check => ({
  ...binary(kind, x, y, Number(expected)),
  expression: (a, b) => {
    const { text, needs } = binaryExpression(kind, 'float32', a, b);
    return { text: `select(0f, 1f, ${text})`, needs };
  },
});

/** Two operations that the compiler must not merge; operands may be literals. */
const chained = (
  title: string,
  first: BinaryKind,
  second: BinaryKind,
  x: number,
  y: string,
  z: string,
  expected: number,
): Check => ({
  title,
  expression: (a, b) => {
    const operands = [y, z].map((text) => (text === 'y' ? { text: b, needs: [] } : opaqueExpression(text)));
    const inner = binaryExpression(first, 'float32', a, operands[0]!.text);
    const outer = binaryExpression(second, 'float32', opaqueExpression(inner.text).text, operands[1]!.text);
    return { text: outer.text, needs: [...inner.needs, ...outer.needs, 'opaque_f32'] };
  },
  x,
  y: 1e30,
  expected,
});

const checks = (): readonly Check[] => [
  compared('ne', NaN, NaN, true),
  compared('eq', NaN, NaN, false),
  compared('lt', NaN, 1, false),
  compared('ge', NaN, 1, false),
  binary('maximum', NaN, 1, NaN),
  binary('minimum', 1, NaN, NaN),
  binary('div', 1, 0, Infinity),
  binary('sub', Infinity, Infinity, NaN),
  binary('mul', Infinity, 0, NaN),
  binary('add', 1e38, 3e38, Infinity),
  chained('NaN · 0 + 1', 'mul', 'add', NaN, '0f', '1f', NaN),
  chained('3e38 · 3 / 3', 'mul', 'div', 3e38, '3f', '3f', Infinity),
  chained('1 + 1e30 − 1e30', 'add', 'sub', 1, 'y', 'y', 0),
  unary('exp', 100, Infinity),
  unary('exp', -200, 0),
  unary('exp', NaN, NaN),
  unary('exp', 1, Math.E),
  unary('tanh', 1e4, 1),
  unary('tanh', -50, -1),
  unary('tanh', 1e-4, Math.tanh(1e-4)),
  unary('log', 0, -Infinity),
  unary('log', -1, NaN),
  unary('erf', 10, 1),
  unary('normalCdf', 10, 1),
  unary('normalCdf', -5, 2.866515718791939e-7),
  unary('sigmoid', -200, 0),
  unary('sin', 1e5, Math.sin(1e5)),
  {
    title: 'float16(65520)',
    expression: (x) => castExpression('float32', 'float16', x),
    x: 65520,
    y: 0,
    expected: Infinity,
  },
  {
    title: 'float16(0.1)',
    expression: (x) => castExpression('float32', 'float16', x),
    x: 0.1,
    y: 0,
    expected: 0.0999755859375,
  },
];

/** Relative tolerance: a faulty function errs by more. */
const TOLERANCE = 1e-5;

/** Tests a device. @throws DeviceError (by rejecting) if it is lost before it has been tested */
export async function selfTest(gpu: GPUDevice, profile: AdapterProfile): Promise<SelfTest> {
  const [faults, subgroups] = await Promise.all([testArithmetic(gpu), findSubgroups(gpu, profile)]);
  const findings = [...faults];
  if (subgroups === null && profile.subgroups !== null) {
    findings.push(
      'shaders that use subgroups are not valid here, or do not shuffle as they should: rows are reduced in workgroup memory instead',
    );
  }
  return { profile: { ...profile, subgroups }, findings };
}

/** The subgroups of an adapter, with the directive or else without; null if neither works. */
async function findSubgroups(
  gpu: GPUDevice,
  { subgroups }: AdapterProfile,
): Promise<AdapterProfile['subgroups']> {
  if (subgroups === null) return null;
  for (const directive of [true, false])
    if (await testSubgroups(gpu, directive)) return { ...subgroups, directive };
  return null;
}

async function testArithmetic(gpu: GPUDevice): Promise<readonly string[]> {
  const list = checks();
  const needs = new Set<Expression['needs'][number]>();
  const lines = list.map(({ expression }, check) => {
    const called = expression(`given[${2 * check}]`, `given[${2 * check + 1}]`);
    for (const name of called.needs) needs.add(name);
    return `  found[${check}] = ${called.text};`;
  });
  const wgsl = `@group(0) @binding(0) var<storage, read> given: array<f32>;
@group(0) @binding(1) var<storage, read_write> found: array<f32>;
${declarationsOf(needs)}
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3u) {
  zero = workgroup.z;
${lines.join('\n')}
}
`;
  const found = await compute(
    gpu,
    'self-test',
    wgsl,
    Float32Array.from(list.flatMap(({ x, y }) => [x, y])),
    list.length,
  );
  if (found === null) return ['the self-test does not run on this adapter: results may be wrong'];
  return list.flatMap(({ title, expected }, check) => {
    const actual = found[check]!;
    const isRight =
      Object.is(actual, expected) || Math.abs(actual - expected) <= TOLERANCE * Math.abs(expected);
    return isRight ? [] : [`${title} gives ${actual} on this adapter, not ${expected}`];
  });
}

/** Whether subgroups are consecutive invocations, as kernels assume, and shuffles work. */
async function testSubgroups(gpu: GPUDevice, directive: boolean): Promise<boolean> {
  const size = 32;
  const wgsl = `${directive ? SUBGROUPS_DIRECTIVE : ''}@group(0) @binding(0) var<storage, read> given: array<f32>;
@group(0) @binding(1) var<storage, read_write> found: array<f32>;

@compute @workgroup_size(${size})
fn main(@builtin(local_invocation_index) lane: u32, @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) own: u32) {
  let neighbour = subgroupShuffleXor(given[lane], 1u);
  found[lane] = select(-1f, neighbour, own == lane % size);
}
`;
  const given = Float32Array.from({ length: size }, (_, lane) => 3 * lane + 1);
  const found = await compute(gpu, 'self-test of subgroups', wgsl, given, size);
  return found !== null && given.every((_, lane) => found[lane] === given[lane ^ 1]);
}

/** Runs a shader once; null if it is not valid here. */
async function compute(
  gpu: GPUDevice,
  label: string,
  code: string,
  given: Float32Array<ArrayBuffer>,
  length: number,
): Promise<Float32Array | null> {
  const { storage, copySource, copyTarget, mapRead } = BUFFER_USAGE;
  gpu.pushErrorScope('validation');
  const input = gpu.createBuffer({ label, size: given.byteLength, usage: storage | copyTarget });
  const output = gpu.createBuffer({ label, size: 4 * length, usage: storage | copySource });
  const result = gpu.createBuffer({ label, size: 4 * length, usage: mapRead | copyTarget });
  try {
    gpu.queue.writeBuffer(input, 0, given);
    const module = gpu.createShaderModule({ label, code });
    const pipeline = gpu.createComputePipeline({
      label,
      layout: 'auto',
      compute: { module, entryPoint: 'main' },
    });
    const entries = [input, output].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = gpu.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({ label });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, gpu.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(output, 0, result, 0, 4 * length);
    gpu.queue.submit([encoder.finish()]);
    if ((await gpu.popErrorScope()) !== null) return null;
    await result.mapAsync(MAP_READ);
    return new Float32Array(result.getMappedRange().slice(0));
  } catch (cause) {
    throw new DeviceError(`webgpu: the GPU device was lost while it was being tested: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    for (const buffer of [input, output, result]) buffer.destroy();
  }
}
