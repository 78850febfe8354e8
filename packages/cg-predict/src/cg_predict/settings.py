"""Every number of the predictor that was chosen by hand; `docs/predictor.md` has the row that shows what each is worth."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of the predictor, the same for every family.

    Args:
        similarity_temperature: difference in similarity that divides an expert's weight by e.
        anchored_weight: of the experts weighted by it, on ranks among known networks of their families, beside those weighted by agreement.
        width_power: of the spread of these families against the pool's, by which they count for less where it is wider.
        nearness_temperature: distance, in spreads of the pool, that divides the weight of an expert on descriptors as they are by e.
        nearness_weight: of such experts beside the rest, where known networks are right there.
        nearness_limit: distance beyond which they are not asked.
        zoo_weight: in place of nearness_weight for the expert of a zoo, which knows most kinds of networks.
        accord_weight: of the sizes where they rank the pool alike, times the square of their mean correlation.
        size_weight: without a pool, weight of each of three sizes, in standard deviations over all families, beside such experts.
        relevance_temperature: difference in similarity that divides by e how much a family's weights of features count in kernels.
        prior_labels: labels with every so many of which the share of the score without labels falls by e, before it is seen how well it tells them.
        exact_labels: labels up to which the Gaussian process is exact; beyond, trees learn what it leaves unexplained.
        draws: hyper-parameter settings drawn from their prior at first, over all kernels.
        temper: divides differences of log density between kernels, so that several stay in the average.
        calibration_labels: labels that the belief in the process's own deviations counts for, beside what labels left out say.
        selected: mean score without labels, in deviations of the pool, from which on labelled networks count as selected for being good.
    """

    similarity_temperature: float = 0.035
    anchored_weight: float = 4.0
    width_power: float = 3.0
    nearness_temperature: float = 0.5
    nearness_weight: float = 18.0
    nearness_limit: float = 1.0
    zoo_weight: float = 60.0
    accord_weight: float = 2.0
    size_weight: float = 0.4
    relevance_temperature: float = 0.1
    prior_labels: float = 3.0
    exact_labels: int = 1500
    draws: int = 160
    temper: float = 8.0
    calibration_labels: float = 5.0
    selected: float = 0.5
