"""Here is my network, here is my training: find me a better one in this budget."""

from own import TEST, accuracy, net, train

import cg_evolve

result = cg_evolve.run(net(), train, budget=30, input=(1, 8, 8), constraints=["params<=5e3"], directory="run")
print(result.best.arch, result.best.value)
print("start", accuracy(net(), TEST), "found", accuracy(result.module(), TEST))
