// The tests that insist on relaxed SIMD, in a Node that has it: from version 22 on by itself, before that
// behind a flag, which reaches vitest's workers from here.
import type { ViteUserConfig } from 'vitest/config';

import { testConfigFor } from '../../../vitest.shared.ts';

const shared = testConfigFor('*.test.ts');
const hasRelaxedSimd = Number.parseInt(process.versions.node, 10) >= 22;
const execArgv = hasRelaxedSimd ? [] : ['--experimental-wasm-relaxed-simd'];

const config: ViteUserConfig = { ...shared, test: { ...shared.test, name: 'relaxed SIMD', execArgv } };
export default config;
