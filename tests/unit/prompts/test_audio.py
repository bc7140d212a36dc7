from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ivr.prompts.audio import FORMATS, PEAK_DBFS, NotAudio, Pcm, decode, encoded, joined, resampled, telephone, trimmed
from tests.unit.prompts.hearing import likeness, played, silence_around
from tests.unit.prompts.voice import tone, write_wav


def speechlike(seconds: float, rate: int = 16000) -> Pcm:
    """Noise with the spectrum and the syllables of speech."""
    random = np.random.default_rng(4)
    noise = np.cumsum(random.normal(0, 1, int(seconds * rate)))
    noise -= np.convolve(noise, np.ones(40) / 40, mode="same")
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(len(noise)) / rate)
    return Pcm(samples=np.rint(noise * syllables / np.abs(noise).max() * 12000).astype(np.int16), rate=rate)


class TestTelephone:
    @pytest.mark.parametrize("peak", [0.01, 0.2, 1.0])
    @pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
    def test_every_sound_peaks_alike_and_none_clips(self, peak: float, rate: int) -> None:
        for extension, content in encoded(telephone(tone(0.5, rate=rate, peak=peak))).items():
            heard = played(content, extension)
            assert heard.peak_dbfs == pytest.approx(PEAK_DBFS, abs=1.0), extension
            assert np.abs(heard.samples.astype(np.int32)).max() < 32000

    @pytest.mark.parametrize("extension", FORMATS)
    def test_silence_around_speech_is_cut(self, extension: str) -> None:
        content = encoded(telephone(tone(0.5, before_s=1.3, after_s=2.1)))[extension]
        before, after = silence_around(played(content, extension))
        assert before < 0.05
        assert after < 0.15
        assert len(content) / FORMATS[extension] == pytest.approx(0.6, abs=0.03)

    def test_a_click_before_speech_is_not_speech(self) -> None:
        pcm = tone(0.5, before_s=1.0)
        samples = pcm.samples.copy()
        # One sample of -29 dB: for 10 ms it is less than the noise of a room.
        samples[100] = 450
        assert trimmed(Pcm(samples=samples, rate=pcm.rate)).seconds < 0.65

    def test_pauses_inside_stay(self) -> None:
        twice = joined([tone(0.3), tone(0.3)], 0.5)
        assert trimmed(twice).seconds == pytest.approx(1.1, abs=0.02)

    def test_quiet_beginnings_are_kept(self) -> None:
        # The first consonant of « service » is 30 dB below the vowel.
        whole = joined([tone(0.12, peak=0.013, hertz=3000), tone(0.4)], 0)
        assert trimmed(whole).seconds == pytest.approx(0.52, abs=0.02)

    def test_silence_is_not_a_sound(self) -> None:
        with pytest.raises(NotAudio, match="nothing is heard"):
            telephone(Pcm(samples=np.zeros(8000, dtype=np.int16), rate=8000))

    @pytest.mark.parametrize("count", [0, 1, 300])
    def test_a_few_samples_are_not_a_sound(self, count: int) -> None:
        with pytest.raises(NotAudio, match="less than any word"):
            telephone(Pcm(samples=tone(1.0, rate=8000).samples[:count], rate=8000))

    def test_hiss_is_not_a_sound(self) -> None:
        hiss = np.random.default_rng(1).integers(-40, 40, 8000).astype(np.int16)
        with pytest.raises(NotAudio, match="nothing is heard"):
            telephone(Pcm(samples=hiss, rate=8000))


class TestEncoded:
    @pytest.mark.parametrize(("extension", "least"), [("ulaw", 0.998), ("alaw", 0.998), ("g722", 0.99), ("sln16", 1.0)])
    def test_round_trip_is_near_the_source(self, extension: str, least: float) -> None:
        source = speechlike(1.0)
        heard = played(encoded(source)[extension], extension)
        assert likeness(resampled(source, heard.rate), heard) >= least - 1e-9

    @pytest.mark.parametrize("count", [800, 15_999, 16_000, 16_001, 37_123])
    def test_all_formats_last_as_long(self, count: int) -> None:
        contents = encoded(Pcm(samples=tone(3.0).samples[:count], rate=16000))
        for extension, content in contents.items():
            assert len(content) / FORMATS[extension] == pytest.approx(count / 16000, abs=0.002), extension

    def test_chunks_leave_no_seam(self) -> None:
        # A second is encoded at a time; a reset of the encoder there would be a click.
        heard = played(encoded(tone(2.5, hertz=400))["g722"], "g722").samples.astype(np.float64)
        seams = [np.abs(np.diff(heard[at - 200 : at + 200])).max() for at in (16000, 32000)]
        assert max(seams) < 1.2 * np.abs(np.diff(heard[4000:8000])).max()


class TestDecode:
    def test_stereo_becomes_mono(self, tmp_path: Path) -> None:
        left = tone(0.5, rate=44100).samples
        write_wav(tmp_path / "stereo.wav", np.repeat(left, 2), 44100, channels=2)
        heard = decode(tmp_path / "stereo.wav")
        assert heard.rate == 44100
        assert len(heard.samples) == len(left)
        assert likeness(Pcm(samples=left, rate=44100), heard) > 0.999

    @pytest.mark.parametrize("content", [b"", b"not audio at all", b"RIFF\x24\x00\x00\x00WAVEfmt "])
    def test_what_is_no_audio_is_named(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "welcome.wav"
        file.write_bytes(content)
        with pytest.raises(NotAudio, match=r"welcome\.wav"):
            decode(file)

    def test_a_header_without_samples_is_named(self, tmp_path: Path) -> None:
        write_wav(tmp_path / "empty.wav", np.zeros(0, dtype=np.int16), 8000)
        with pytest.raises(NotAudio, match=r"empty\.wav"):
            decode(tmp_path / "empty.wav")
