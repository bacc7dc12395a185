/**
 * The browser's language, as a language tag: a browser that takes it from the environment may name one that
 * is none, such as `en-US@posix` under LANG=C, and the chart's library hands what it finds to `Intl`, which
 * throws.
 */

/**
 * The tag itself if it is one, else what is one of it: `en-US` of `en-US@posix` and of `en_US.UTF-8`, and
 * English where nothing is.
 */
export function languageTag(language: string): string {
  for (const candidate of [language, language.replace(/[.@].*$/, '').replaceAll('_', '-')]) {
    try {
      const [tag] = Intl.getCanonicalLocales(candidate);
      if (tag !== undefined) return tag;
    } catch {
      // not a tag
    }
  }
  return 'en-US';
}

/** Gives the navigator a language that is one, for whoever asks it from now on. */
export function repairLanguage(navigator: { readonly language: string }): void {
  const { language } = navigator;
  const tag = languageTag(language);
  if (tag !== language) Object.defineProperty(navigator, 'language', { value: tag, configurable: true });
}
