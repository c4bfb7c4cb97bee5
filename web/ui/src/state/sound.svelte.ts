import { urgent } from '../core/attention';
import { live, prefs } from './app.svelte';

/** Plays two notes for each P1 that has just opened, where the person armed it; a browser lets it only after a gesture. */
export function soundForP1(): void {
  const known = new Set<string>();
  let first = true;
  $effect(() => {
    const fresh = live.incidents.filter(urgent).filter((i) => !known.has(i.id));
    for (const i of fresh) known.add(i.id);
    if (!first && fresh.length > 0 && prefs.sound) play();
    if (live.situation) first = false;
  });
}

function play(): void {
  const audio = new AudioContext();
  for (const [n, pitch] of [660, 880].entries()) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    volume.gain.value = 0.12;
    tone.frequency.value = pitch;
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + n * 0.22);
    tone.stop(audio.currentTime + n * 0.22 + 0.18);
  }
  setTimeout(() => void audio.close(), 1000);
}
