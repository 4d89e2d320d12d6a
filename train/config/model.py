"""The compact models. Standard deviations are those of the normal initialisation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from geomem.train.config.base import Section

Std = Annotated[float, Field(ge=0, le=100)]
Width = Annotated[int, Field(ge=1, le=65_536)]
Layers = Annotated[int, Field(ge=1, le=256)]

INIT_FIELDS = (
    *("token_std", "position_std", "weight_std"),
    *("subject_std", "relation_std", "attribute_std", "query_std"),
)
"""What the initialisation reads: each member of a stack may have its own."""


class Transformer(Section):
    """Pre-norm GPT with learned or sinusoidal positions and tied embeddings."""

    kind: Literal["transformer"]
    layers: Layers = 2
    """Number of blocks."""
    width: Width = 64
    """Width of the residual stream and of the embeddings."""
    heads: int = Field(default=4, ge=1, le=1_024)
    """Attention heads; has to divide width."""
    mlp_ratio: int = Field(default=4, ge=1, le=64)
    """Width of the MLP in units of width."""
    positions: Literal["learned", "sinusoidal", "none"] = "learned"
    """Position vectors added to the token embeddings."""
    token_std: Std = 0.02
    """Of the token embeddings."""
    position_std: Std = 0.02
    """Of learned positions; the amplitude of sinusoidal ones. Large positions swamp the tokens."""
    weight_std: Std = 0.02
    """Of every linear map."""
    tie: bool = True
    """Use the token embeddings as the output matrix."""
    freeze_embeddings: bool = False
    """Keep the embeddings (and the output matrix) as they were drawn."""
    attention: bool = True
    """Without it the blocks are MLPs."""
    residual: bool = True
    """Add each block to its input."""
    norm: bool = True
    """LayerNorm before each block and at the end."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Rate, on the embeddings and on the output of each block."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "Transformer":
        if self.attention and self.width % self.heads:
            raise PydanticCustomError(
                "heads",
                "width {width} cannot be divided by {heads} heads; choose a multiple of {heads}",
                {"width": self.width, "heads": self.heads, "field": "width"},
            )
        return self


class FeedForward(Section):
    """Embedding, square linear maps, unembedding; no positions and no mixing of tokens.

    With `freeze_embeddings: true` and one layer it is the associative control: the only thing
    that learns is the matrix W of logit(v|u) = e_v W e_u.
    """

    kind: Literal["feed_forward"]
    layers: Layers = 1
    """Number of width x width maps."""
    width: Width = 32
    """Width of the embeddings."""
    activation: Literal["none", "gelu"] = "none"
    """Between the maps; a single map has none."""
    token_std: Std = 0.02
    """Of the token embeddings."""
    weight_std: Std = 0.02
    """Of the maps."""
    tie: bool = True
    """Use the token embeddings as the output matrix."""
    freeze_embeddings: bool = False
    """Keep the embeddings (and the output matrix) as they were drawn."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Rate, on the embeddings and on the output of each map."""


class Mamba(Section):
    """Mamba-1 blocks: causal convolution, selective scan and gate; no positions."""

    kind: Literal["mamba"]
    layers: Layers = 1
    """Number of blocks."""
    width: Width = 64
    """Width of the residual stream and of the embeddings."""
    state: int = Field(default=8, ge=1, le=256)
    """States per channel."""
    conv: int = Field(default=4, ge=2, le=4)
    """Width of the causal convolution."""
    expand: int = Field(default=2, ge=1, le=16)
    """Channels of the scan in units of width."""
    dt_rank: int | None = Field(default=None, ge=1, le=4_096)
    """Rank of the map to the step sizes; null: a sixteenth of the width, rounded up."""
    token_std: Std = 0.005
    """Of the token embeddings. Larger ones let a run learn its paths by heart first."""
    weight_std: Std = 0.05
    """Of the projections."""
    tie: bool = True
    """Use the token embeddings as the output matrix."""
    freeze_embeddings: bool = False
    """Keep the embeddings (and the output matrix) as they were drawn."""
    residual: bool = True
    """Add each block to its input."""
    norm: bool = True
    """RMSNorm before each block and at the end."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Rate, on the embeddings and on the output of each block."""

    @property
    def rank(self) -> int:
        """The rank of the map to the step sizes that is in force."""
        return self.dt_rank or -(-self.width // 16)


class Node2Vec(Section):
    """Full-softmax Node2Vec by gradient ascent in closed form; it trains on the graph itself.

    `optim.lr` is the step size (0.01 in the paper, with `optim.schedule: constant`), and
    `optim.weight_decay` has to be 0: there is no AdamW. The edges are its task, all in each step.
    """

    kind: Literal["node2vec"]
    width: Width = 100
    """Width of the embeddings."""
    tie: bool = True
    """Score neighbours with one table; without it each side has its own."""
    token_std: Std = 1.0
    """Of the embeddings."""
    dtype: Literal["float64", "float32"] = "float64"
    """Number format of the embeddings and of the training; train.precision is not used."""


class Recall(Section):
    """One layer of attention and a ReLU MLP that recalls facts (arXiv 2605.12426).

    Subjects, relations, attributes and positions have a table each. The defaults make the MLP a
    generic selector, and subjects a superposition of their attributes.
    """

    kind: Literal["recall"]
    width: Width = 64
    """Width of all embeddings."""
    mlp_width: Width = 128
    """Neurons of the MLP."""
    subject_std: Std = 1e-3
    """Of the subjects' table. Large ones keep an arbitrary part beside what is learned."""
    relation_std: Std = 1.0
    """Of the relations' table."""
    attribute_std: Std = 1.0
    """Of the attributes' table. A small table that learns mirrors the facts itself."""
    position_std: Std = 0.1
    """Of the positions, in units of 1 / sqrt(width)."""
    query_std: Std = 0.0
    """Of the map to queries, in units of 1 / sqrt(width); 0: attention begins uniform."""
    attention_start: Literal["orthogonal", "normal"] = "orthogonal"
    """Of the maps to values and to the attention's output."""
    attention_bias: bool = False
    """Add a learned number per pair of positions to the scores of attention."""
    token_residual: bool = True
    """Add the attention to the token's own embedding."""
    mlp_residual: bool = False
    """Add the MLP to its input."""
    tie: bool = False
    """Score attributes with the subjects' table."""
    freeze_subjects: bool = False
    """Keep the subjects' table as it was drawn."""
    freeze_relations: bool = False
    """Keep the relations' table as it was drawn."""
    freeze_attributes: bool = False
    """Keep the attributes' table as it was drawn."""

    @model_validator(mode="after")
    def _tied_tables_are_one(self) -> "Recall":
        if self.tie and self.freeze_attributes:
            raise PydanticCustomError(
                "tie",
                "with tie the attributes have no table of their own; use freeze_subjects",
                {"field": "freeze_attributes"},
            )
        return self


ModelConfig = Annotated[
    Transformer | FeedForward | Mamba | Node2Vec | Recall, Field(discriminator="kind")
]
