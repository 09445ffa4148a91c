local exp, log, sqrt, abs, pi = math.exp, math.log, math.sqrt, math.abs, math.pi

local function normal(x)
  local k = 1.0 / (1.0 + 0.2316419 * abs(x))
  local series = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))))
  local tail = exp(-0.5 * x * x) / sqrt(2.0 * pi) * series
  if x < 0.0 then return tail end
  return 1.0 - tail
end

local function price(book, rate, volatility)
  local spot, strike, years, calls, puts = book.spot, book.strike, book.years, book.calls, book.puts
  for i = 1, #spot do
    local s, k, t = spot[i], strike[i], years[i]
    local spread = volatility * sqrt(t)
    local d1 = (log(s / k) + (rate + 0.5 * volatility * volatility) * t) / spread
    local d2 = d1 - spread
    local discounted = k * exp(-rate * t)
    local call = s * normal(d1) - discounted * normal(d2)
    calls[i] = call
    puts[i] = call - s + discounted
  end
end

local n = tonumber(arg[1]) or 10000
local rounds = tonumber(arg[2]) or 5
local book = { spot = {}, strike = {}, years = {}, calls = {}, puts = {} }
for i = 0, n - 1 do
  book.spot[i + 1] = 80.0 + i % 41
  book.strike[i + 1] = 90.0 + i % 23
  book.years[i + 1] = 0.25 + i % 16 / 8.0
  book.calls[i + 1] = 0.0
  book.puts[i + 1] = 0.0
end
for round = 0, rounds - 1 do price(book, 0.02, 0.1 + 0.05 * round) end
local calls, puts = 0.0, 0.0
for i = 1, n do
  calls = calls + book.calls[i]
  puts = puts + book.puts[i]
end
print(string.format("%.4f %.4f", calls / n, puts / n))
