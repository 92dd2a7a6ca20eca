"""Small programs that a fork server runs before its first fork.

Much of what a library does at its first use it never does again: it fills caches, builds classes, compiles
patterns. Done here, once, it is done for every call; a first `sympy.factor` costs 27 ms, one after these 1.5 ms.
Nothing of their state may be seen by a program: they define no names outside their own namespace, and random
state is seeded anew for each call that could notice.
"""

import contextlib
import io
import warnings

EXERCISES = {
    "builtins": """
import collections, functools, itertools, json, math, re, sys
from decimal import Decimal
from fractions import Fraction
class Point:
    def __init__(self, x): self.x = x
    def __repr__(self): return f"Point({self.x!r})"
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
squares = [i * i for i in range(50) if i % 3]
table = {str(k): v for k, v in enumerate(squares)}
print(sum(squares), max(squares), sorted(table)[:3], Point(3), f"{math.pi:.3f}", "%d %s" % (3, "x"), sep=", ")
for i, (x, y) in enumerate(zip(squares, squares[1:])):
    if x > y: break
print(Fraction(1, 3) + 1, Decimal("1.5") * 2, fib(12), len(set(squares)), 2 ** 100, divmod(7, 2), 10 // 3)
print(collections.Counter("hello").most_common(1), list(itertools.combinations(range(4), 2))[:2], math.comb(10, 3))
print(json.dumps({"a": [1, 2]}), re.sub(r"\\\\d+", "n", "a1b22"), " ".join(map(str, squares[:3])))
try:
    raise ValueError("x")
except ValueError as error:
    print(error)
""",
    "numpy": """
import numpy as np
a = np.array([[3, 2, -1], [2, -2, 4], [-1, 0.5, -1]], dtype=float)
print(np.linalg.solve(a, np.array([1, -2, 0])), np.linalg.det(a), np.linalg.eigvals(a), np.linalg.inv(a))
print(np.roots([1, -6, 11, -6]), np.arange(10).reshape(2, 5).sum(axis=0), np.linspace(0, 1, 3), np.mean([1, 2]), a @ a)
print(np.array([True, False]).any(), np.where(a > 0, a, 0), np.sort(np.array([3, 1, 2])), np.polyfit([0, 1, 2], [1, 3, 5], 1))
""",
    "sympy": """
from sympy import *
x, y, z = symbols("x y z")
p = symbols("p", positive=True)
n = symbols("n", integer=True)
print(solve(x**2 - 5*x + 6, x), solve(Eq(x**3 - x, 0)), solve([x + y - 3, x - y - 1], [x, y], dict=True))
print(factor(x**3 - 1), expand((x + y)**3), simplify(sin(x)**2 + cos(x)**2), cancel((x**2 - 1)/(x - 1)), apart(1/(x*(x + 1))))
print(diff(x**2*sin(x), x), integrate(x*exp(x), x), integrate(x**2, (x, 0, 1)), limit(sin(x)/x, x, 0), series(exp(x), x, 0, 4))
print(Matrix([[2, 1], [1, 3]]).det(), Matrix([[2, 1], [1, 3]]).inv(), Matrix([[2, 0], [0, 3]]).eigenvals())
print(factorint(360), isprime(97), totient(36), divisors(28), gcd(12, 18), binomial(10, 3), nextprime(100), list(primerange(2, 20)))
print(Rational(1, 3) + Rational(1, 6), sqrt(8), nsimplify(0.5), N(pi, 10), Sum(n, (n, 1, 10)).doit(), summation(1/n**2, (n, 1, 3)))
print(Poly(x**2 + 1, x).degree(), rem(x**3, x - 1, x), nsolve(cos(x) - x, x, 1), latex(x**2/2), sqrt(p**2), solveset(x**2 - 1, x))
print(Point(0, 0).distance(Point(3, 4)), Polygon(Point(0, 0), Point(4, 0), Point(0, 3)).area, Circle(Point(0, 0), 2).area)
print(parse_expr("2*x + 1"), trigsimp(2*sin(x)*cos(x)), together(1/x + 1/y), collect(x*y + x, x), lambdify(x, x**2)(3), floor(Rational(7, 2)))
a, b, c = symbols("a b c", positive=True)
print(solve([Eq(a*b, 6), Eq(b*c, 12), Eq(a*c, 8)], [a, b, c], dict=True), solve([x + y + z - 6, x - y, y - z], [x, y, z]))
t = Polygon(Point(0, 0), Point(14, 0), Point(5, 12))
print(t.area, t.circumcircle.radius, t.incircle.radius, t.centroid, Line(Point(0, 0), Point(1, 1)).intersection(Line(Point(0, 2), Point(2, 0))))
print(rem(x**20 - 3*x + 2, (x - 1)**2, x), div(x**3 + 1, x + 1, x), roots(x**3 - 6*x**2 + 11*x - 6), discriminant(x**2 + x + 1, x), resultant(x**2 - 1, x - 2, x))
print(Matrix([[2, 1, 0], [1, 2, 1], [0, 1, 2]]).eigenvals(), Matrix([[1, 2], [2, 4]]).rank(), Matrix([[1, 2], [2, 4]]).nullspace(), Matrix([[2, 1], [1, 2]]).charpoly(x))
print(is_primitive_root(2, 11), mod_inverse(3, 11), primepi(100), divisor_count(28), isprime(2**61 - 1), factorint(2**32 + 1), multiplicity(2, 48), lcm(4, 6))
print(limit(1/n, n, oo), integrate(exp(-x), (x, 0, oo)), summation(n**2, (n, 1, z)), product(n, (n, 1, 5)), Piecewise((1, x > 0), (0, True)).subs(x, 1), Mod(7, 3))
print(solve(sin(x) - Rational(1, 2), x), expand((x + y)**4 - (x - y)**4), factor(x**4 - 5*x**2 + 4), simplify(sqrt(3 + 2*sqrt(2))), radsimp(1/(sqrt(2) + 1)), sqrtdenest(sqrt(3 + 2*sqrt(2))))
print(fibonacci(10), factorial(6), ceiling(Rational(7, 3)), Interval(0, 1).contains(Rational(1, 2)), (x**2).subs(x, 3), Poly(x**2 - 1).all_coeffs(), lcm(x**2 - 1, x - 1))
print(solve(x**2 - 2 > 0, x), Abs(-3), expand(sin(x + y), trig=True), log(8, 2), simplify((x**2 - y**2)/(x - y)), re(1 + 2*I), pretty(x/y))
""",
    "scipy": """
import numpy as np
from scipy import integrate, linalg, optimize, special, stats
print(optimize.minimize_scalar(lambda t: (t - 1)**2).x, optimize.brentq(lambda u: u**3 - u - 2, 1, 2), optimize.fsolve(lambda u: u**2 - 2, 1.0))
print(optimize.minimize(lambda v: v[0]**2 + v[1]**2, [1.0, 1.0]).x, integrate.quad(lambda t: t**2, 0, 1), special.comb(5, 2), stats.norm.cdf(0.5), linalg.det(np.eye(2)))
""",
    "pandas": """
import pandas as pd
d = pd.DataFrame({"n": range(1, 6), "k": list("ababa")})
d["m"] = d["n"].apply(lambda v: v * 2)
print(d, d.groupby("k")["n"].sum(), d["n"].tolist(), d.sort_values("n").head(2), d[d["n"] > 2], d.describe())
""",
    "networkx": """
import networkx as nx
g = nx.petersen_graph()
print(nx.shortest_path_length(g, 0, 5), nx.is_connected(g), g.number_of_edges(), dict(g.degree()))
""",
    "math_verify": r"""
from math_verify import parse, verify
pairs = [
    (r"$\frac{1}{2}$", r"The answer is $\frac{2}{4}$."), ("0.5", "So it is 1/2."), (r"\boxed{x^2 + 2x + 1}", r"\boxed{(x+1)^2}"),
    (r"\boxed{\{1,2,3\}}", r"$\{3,2,1\}$"), (r"\boxed{(1,2)}", "$(1, 2)$"), (r"$[1, \infty)$", r"\boxed{[1,\infty)}"),
    (r"\boxed{\sqrt{2}}", r"\boxed{2^{1/2}}"), (r"\boxed{\begin{pmatrix}1&2\\3&4\end{pmatrix}}", r"\boxed{\begin{bmatrix}1&2\\3&4\end{bmatrix}}"),
    (r"\boxed{50\%}", "0.5"), (r"\boxed{\text{A}}", r"\boxed{A}"), ("$x = 5$", "The final answer is 5"), (r"\boxed{1 < x < 2}", r"\boxed{(1,2)}"),
    (r"\boxed{\frac{\sqrt{3}}{2}}", r"\boxed{0.8660254}"), (r"\boxed{2\pi}", r"\boxed{6.2831853}"), (r"\boxed{-\frac{3}{4}}", r"\boxed{-0.75}"),
    (r"\boxed{1,234}", "1234"), (r"\boxed{\binom{5}{2}}", r"\boxed{10}"), (r"\boxed{3 \cdot 10^{8}}", r"\boxed{300000000}"),
    (r"\boxed{\sin(x)\cos(x)}", r"\boxed{\frac{\sin(2x)}{2}}"), (r"\boxed{\log_2 8}", r"\boxed{3}"), (r"\boxed{e^{i\pi}}", r"\boxed{-1}"),
    (r"\boxed{(-\infty, 2] \cup [3, 4)}", r"\boxed{[3, 4) \cup (-\infty, 2]}"), (r"\boxed{90^\circ}", r"\boxed{90}"),
    (r"\boxed{y = 2x + 1}", r"\boxed{y = 1 + 2x}"), ("3", "$(1, 2)$"),
]
for expected, answer in pairs:
    expected, answer = parse(expected), parse(answer)
    print(expected, answer, verify(expected, answer), verify(expected, expected))
""",
}


#: An exercise that is left out beside another module: it costs a second at the start, and programs that use both are rare.
NOT_BESIDE = {"math_verify": "scipy"}


def exercise(modules):
    """Runs the exercises of `modules`, quietly. Their failure is a library's, and will be told to whoever uses it."""
    for name in ("builtins", *modules):
        source = EXERCISES.get(name)
        if source is None or NOT_BESIDE.get(name) in modules:
            continue
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            # Twice: the interpreter adapts a function's code to its use only after some calls.
            for _ in range(2):
                exec(compile(source, "exercise", "exec", dont_inherit=True), {"__name__": "exercise"})
