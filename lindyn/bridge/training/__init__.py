"""Training: BYOL and SimSiam with any predictor, from a two-minute CPU run to many GPUs.

    run = lindyn.bridge.train(data__name="digits", model__predictor="direct_pred")
"""
