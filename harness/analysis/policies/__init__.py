"""Learning-rate policies judged by their records: database, ranking, verification, recommendation.

docs/lr-ranking.md has the definitions. Importing this package imports none of its modules.
"""
