local function zeros(rows, columns)
  local values = {}
  for i = 1, rows * columns do values[i] = 0.0 end
  return { rows = rows, columns = columns, values = values }
end

local function multiply(a, b)
  local result = zeros(a.rows, b.columns)
  local av, bv, rv = a.values, b.values, result.values
  local n, m = a.columns, b.columns
  for i = 0, a.rows - 1 do
    for j = 0, m - 1 do
      local sum = 0.0
      for k = 0, n - 1 do sum = sum + av[i * n + k + 1] * bv[k * m + j + 1] end
      rv[i * m + j + 1] = sum
    end
  end
  return result
end

local function trace(m)
  local sum = 0.0
  for i = 0, m.rows - 1 do sum = sum + m.values[i * m.columns + i + 1] end
  return sum
end

local function example(n, seed)
  local m = zeros(n, n)
  for i = 0, n - 1 do
    for j = 0, n - 1 do m.values[i * n + j + 1] = ((i * 7 + j * 13 + seed) % 17 - 8) / 16.0 end
  end
  return m
end

local n = tonumber(arg[1]) or 128
local product = multiply(example(n, 1), example(n, 5))
print(string.format("%d x %d, trace %.6f", n, n, trace(product)))
