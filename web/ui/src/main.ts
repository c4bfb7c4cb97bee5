import { mount } from 'svelte';
import App from './App.svelte';
import { loadLanguage } from './core/i18n';
import { otherLang, prefs } from './state/app.svelte';
import './styles/base.css';

async function start(): Promise<void> {
  await loadLanguage(prefs.lang);
  const target = document.getElementById('app');
  if (target) mount(App, { target });
  // The other language a little later, so that switching needs no waiting.
  setTimeout(() => loadLanguage(otherLang()).catch(() => {}), 3000);
}

void start();
