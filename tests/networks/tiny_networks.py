"""Small networks of random weights, saved as pretrained ones are."""

import json

import torch

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "a", "the", "very", "was", "i"]


def save(folder, kind, seed=0, licence="apache-2.0"):
    """A network of a kind in a folder, with what prepares its inputs and a card."""
    from penstock.learning.pretrained import quiet

    torch.manual_seed(seed)
    with quiet() as transformers:
        MADE[kind](transformers, folder)
    front = f"---\nlicense: {licence}\n---\n" if licence else ""
    (folder / "README.md").write_text(f"{front}# A network\n")
    return folder


SIZES = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
}  # fmt: skip


def _text(transformers, folder):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    places = {"vocab_size": len(WORDS), "max_position_embeddings": 40}
    config = transformers.BertConfig(**SIZES, **places)
    transformers.BertModel(config).save_pretrained(folder)
    cut = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    cut.normalizer = normalizers.BertNormalizer()
    cut.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cut.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    cut.save(str(folder / "tokenizer.json"))


def _image(transformers, folder):
    config = transformers.ViTConfig(**SIZES, image_size=16, patch_size=8)
    transformers.ViTModel(config).save_pretrained(folder)
    said = {
        "size": {"height": 16, "width": 16},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.25, 0.2, 0.3],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(said))


def _audio(transformers, folder):
    config = transformers.Wav2Vec2Config(
        **SIZES, conv_dim=(8, 8), conv_stride=(10, 8), conv_kernel=(10, 8),
        num_feat_extract_layers=2, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    said = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8000}
    said |= {"do_normalize": True, "return_attention_mask": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))


def _spectrograms(transformers, folder):
    config = transformers.ASTConfig(
        **SIZES, patch_size=8, frequency_stride=8, time_stride=5, max_length=60, num_mel_bins=16
    )
    transformers.ASTModel(config).save_pretrained(folder)
    transformers.ASTFeatureExtractor(num_mel_bins=16, max_length=60).save_pretrained(folder)


def _whisper(transformers, folder):
    config = transformers.WhisperConfig(
        vocab_size=20, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=8,
        max_source_positions=50, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    transformers.WhisperModel(config).save_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=1)
    extractor.save_pretrained(folder)


MADE = {
    "text": _text, "image": _image, "audio": _audio,
    "spectrograms": _spectrograms, "whisper": _whisper,
}  # fmt: skip
