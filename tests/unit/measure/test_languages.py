import pyarrow as pa
import pytest

from penstock.measure.languages import languages

SAID = {
    "English": "This is a letter to you and it was written with the best of wishes.",
    "German": "Ich schreibe dir, weil der Zug nicht kommt und das Wetter schlecht ist.",
    "French": "Je vous écris pour dire que le train est en retard dans la gare.",
    "Spanish": "El tren no llega y los viajeros se quejan de la espera como siempre.",
    "Italian": "Il treno non arriva e i viaggiatori sono in attesa con gli amici.",
    "Portuguese": "Os passageiros não sabem que o comboio não vem para uma estação.",
    "Dutch": "De trein komt niet en het weer is slecht, maar ik ben op reis met je.",
    "Polish": "Pociąg się spóźnia, ale to nie jest problem, że czekamy już dwie godziny.",
    "Russian": "Я не знаю, что это такое, но он был на вокзале и с ним как раз она.",
    "unknown": "CVE-2002-0001 kernel.c:512 0xDEADBEEF",
}


@pytest.mark.parametrize("language", SAID)
def test_a_sentence_is_told_by_its_little_words(language):
    assert languages(pa.array([SAID[language]], pa.large_string())).to_pylist() == [language]


def test_missing_and_empty_texts():
    found = languages(pa.array([None, "", " \n", "the"], pa.large_string())).to_pylist()
    assert found == [None, "unknown", "unknown", "unknown"]
