/**
 * The roof over every matrix product: multiply-adds on registers alone, x ← x·y + z, in as many independent
 * chains as hide the instructions' latency. A kernel must also load its operands, so it stays below.
 */
import { arithmeticOf } from '../../src/matmul/arithmetic.ts';
import { Module } from '../../src/assembler/module.ts';
import type { DType } from '@firsthand/graph';

const CHAINS = [6, 8, 10, 11, 12, 13];
const ROUNDS = 4000;

/** One way to reach the roof. */
export interface Probe {
  readonly run: () => void;
  readonly operations: number;
}

/** Probes with different numbers of chains; the fastest is the roof. */
export function probesOf(dtype: DType, relaxedSimd: boolean): readonly Probe[] {
  const arithmetic = arithmeticOf(dtype, relaxedSimd);
  const module = new Module({ initial: 1, maximum: 1, shared: false });
  for (const chains of CHAINS) {
    module.function(
      `probe${chains}`,
      { params: [], results: [] },
      (code) => {
        const values = Array.from({ length: chains }, () => code.local('v128'));
        const [counter, address, y, z] = [
          code.local('i32'),
          code.local('i32'),
          code.local('v128'),
          code.local('v128'),
        ];
        code.i32(0).memory('v128.load').set(y).i32(0).memory('v128.load', 16).set(z);
        for (const value of values) code.get(z).set(value);
        code.repeat(counter, 0, ROUNDS, 1, () => {
          for (const value of values) {
            if (arithmetic.fused === null)
              code.get(value).get(y).op(arithmetic.multiply).get(z).op(arithmetic.add).set(value);
            else code.get(value).get(y).get(z).op(arithmetic.fused).set(value);
          }
        });
        code.i32(64).set(address);
        values.forEach((value, index) =>
          code
            .get(address)
            .get(value)
            .memory('v128.store', 16 * index),
        );
      },
      { exported: true },
    );
  }
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  if (dtype === 'float32') new Float32Array(memory.buffer).fill(0.5, 0, 8);
  if (dtype === 'float64') new Float64Array(memory.buffer).fill(0.5, 0, 4);
  return CHAINS.map((chains) => ({
    run: exports[`probe${chains}`] as () => void,
    operations: 2 * ROUNDS * chains * arithmetic.lanes,
  }));
}
