import { testConfigFor } from '../vitest.shared.ts';

export default testConfigFor('*.test.ts');
