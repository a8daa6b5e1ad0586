# The rows of one demo table as CSV, the same ones each time: awk -v table=orders -f rows.awk
# 20,000 customers; 60,000 orders, three each; 150,000 order lines; 1,000 products.
function random(n) {  # 0 .. n-1; a linear congruential generator, exact in floating point
    seed = (seed * 16807) % 2147483647
    return seed % n
}
function pick(words, n) { return words[1 + random(n)] }
function two(n) { return n < 10 ? "0" n : n }
function cents(n) { return int(n / 100) "." two(n % 100) }
# A date of 2024 or 2025; the 29th is the last, as February may have it no later.
function day() { return (2024 + random(2)) "-" two(1 + random(12)) "-" two(1 + random(28)) }

function customers(   i, first, last) {
    for (i = 1; i <= 20000; i++) {
        first = pick(firsts, nfirst)
        last = pick(lasts, nlast)
        # An empty field is a NULL: some cities are not known.
        printf "%d,%s %s,%s.%s%d@example.com,%s,%s\n", i, first, last, tolower(first), \
            tolower(last), i, random(20) ? pick(cities, ncity) : "", day()
    }
}
function orders(   i) {
    for (i = 1; i <= 60000; i++)
        printf "%d,%d,%s %s:%s:00+00,%s\n", customer_of(i), i, day(), two(random(24)), \
            two(random(60)), pick(states, nstate)
}
function order_lines(   i, line) {
    for (i = 1; i <= 60000; i++)
        for (line = 1; line <= 2 + i % 2; line++)
            printf "%d,%d,%d,%d,%d,%s\n", customer_of(i), i, line, 1 + random(1000), \
                1 + random(5), cents(100 + random(20000))
}
function products(   i) {
    for (i = 1; i <= 1000; i++)
        printf "%d,\"%s, %s\",%s\n", i, pick(goods, ngood), pick(colours, ncolour), \
            cents(100 + random(20000))
}
function customer_of(order) { return 1 + (order - 1) % 20000 }

BEGIN {
    seed = 20240229
    nfirst = split("Ada Alan Barbara Donald Edsger Frances Grace John Katherine Leslie Niklaus Radia", firsts, " ")
    nlast = split("Adams Baker Clark Davis Evans Fischer Garcia Hughes Ivanova Jensen Kowalski Lopez", lasts, " ")
    ncity = split("Amsterdam Berlin Copenhagen Dublin Lisbon Madrid Oslo Paris Rome Vienna", cities, " ")
    nstate = split("new paid shipped delivered returned", states, " ")
    ngood = split("Chair Desk Lamp Shelf Mug Kettle Clock Frame Vase Rug", goods, " ")
    ncolour = split("black white red green blue grey oak walnut", colours, " ")
    if (table == "customers") customers()
    else if (table == "orders") orders()
    else if (table == "order_lines") order_lines()
    else if (table == "products") products()
    else { print "rows.awk: no table \"" table "\"" >"/dev/stderr"; exit 1 }
}
