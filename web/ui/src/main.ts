import { mount } from 'svelte';
import App from './App.svelte';
import { loadLanguage, loadScreens } from './core/i18n';
import { otherLang, prefs } from './state/app.svelte';
import './styles/base.css';

async function start(): Promise<void> {
  await loadLanguage(prefs.lang);
  const target = document.getElementById('app');
  if (target) mount(App, { target });
  // The rest a little later, so that neither another screen nor the other language needs waiting.
  setTimeout(() => {
    for (const lang of [prefs.lang, otherLang()]) loadScreens(lang).catch(() => {});
  }, 3000);
}

void start();
