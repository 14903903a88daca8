// The peer of the benchmark: pagmo2's nsga2 on a problem of its own library, one request per line of standard input:
//   PROBLEM POPULATION GENERATIONS SEED        (PROBLEM: zdt1 .. zdt6, dtlz2)
// Answers with one line of figures and one line per individual of the last population:
//   NANOSECONDS EVALUATIONS INDIVIDUALS OBJECTIVES
//   f1 f2 ...
// The nanoseconds are those of algorithm::evolve alone: the first population is made and evaluated before.
// SBX probability 0.9, eta 20; polynomial mutation with probability 1/n per variable, eta 20, as on our side.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <pagmo/problems/dtlz.hpp>
#include <pagmo/problems/zdt.hpp>

static pagmo::problem problem_of(const std::string &name)
{
    if (name == "dtlz2") return pagmo::problem{pagmo::dtlz(2u, 12u, 3u)};
    const unsigned number = static_cast<unsigned>(std::stoul(name.substr(3)));
    return pagmo::problem{pagmo::zdt(number, number <= 3u ? 30u : 10u)};
}

int main()
{
    std::string name;
    unsigned population, generations, seed;
    while (std::cin >> name >> population >> generations >> seed) {
        const pagmo::problem problem = problem_of(name);
        pagmo::population individuals{problem, population, seed};
        const double mutation = 1.0 / static_cast<double>(problem.get_nx());
        const pagmo::algorithm nsga2{pagmo::nsga2(generations, 0.9, 20., mutation, 20., seed)};
        const auto before = individuals.get_problem().get_fevals();
        const auto start = std::chrono::steady_clock::now();
        individuals = nsga2.evolve(individuals);
        const auto elapsed = std::chrono::steady_clock::now() - start;
        const auto objectives = individuals.get_f();
        std::printf("%lld %llu %zu %zu\n",
                    static_cast<long long>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count()),
                    static_cast<unsigned long long>(individuals.get_problem().get_fevals() - before),
                    objectives.size(), objectives.front().size());
        for (const auto &row : objectives) {
            for (std::size_t m = 0; m < row.size(); ++m) std::printf("%.17g%c", row[m], m + 1 < row.size() ? ' ' : '\n');
        }
        std::fflush(stdout);
    }
    return 0;
}
