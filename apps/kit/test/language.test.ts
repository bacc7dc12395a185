// A browser's language that is none becomes one, before a library hands it to Intl.
import { expect, test } from 'vitest';
import { languageTag, repairLanguage } from '../src/language.ts';

test.each([
  ['en-US', 'en-US'],
  ['de', 'de'],
  ['zh-Hant-TW', 'zh-Hant-TW'],
  ['en-US@posix', 'en-US'],
  ['de_CH.UTF-8', 'de-CH'],
  ['sr_RS@latin', 'sr-RS'],
  ['C', 'en-US'],
  ['', 'en-US'],
  ['@', 'en-US'],
])('%s is %s', (language, tag) => {
  expect(languageTag(language)).toBe(tag);
  expect(() => new Intl.NumberFormat(languageTag(language))).not.toThrow();
});

test('a navigator is left alone unless its language is none', () => {
  const good = Object.create({ language: 'fr-FR' }) as { readonly language: string };
  repairLanguage(good);
  expect([good.language, Object.keys(Object.getOwnPropertyDescriptors(good))]).toEqual(['fr-FR', []]);
  const bad = Object.create({ language: 'en-US@posix' }) as { readonly language: string };
  repairLanguage(bad);
  expect(bad.language).toBe('en-US');
});
