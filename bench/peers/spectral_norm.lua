local function a(i, j)
  local ij = i + j
  -- The half of a product of neighbours is whole: no rounding is needed.
  return 1.0 / (ij * (ij + 1) / 2 + i + 1)
end

local function multiply(x, result)
  local n = #x
  for i = 0, n - 1 do
    local sum = 0.0
    for j = 0, n - 1 do sum = sum + a(i, j) * x[j + 1] end
    result[i + 1] = sum
  end
end

local function multiply_transposed(x, result)
  local n = #x
  for i = 0, n - 1 do
    local sum = 0.0
    for j = 0, n - 1 do sum = sum + a(j, i) * x[j + 1] end
    result[i + 1] = sum
  end
end

local function spectral_norm(n)
  local u, v, t = {}, {}, {}
  for i = 1, n do
    u[i] = 1.0
    v[i] = 0.0
    t[i] = 0.0
  end
  for i = 1, 10 do
    multiply(u, t)
    multiply_transposed(t, v)
    multiply(v, t)
    multiply_transposed(t, u)
  end
  local uv, vv = 0.0, 0.0
  for i = 1, n do
    uv = uv + u[i] * v[i]
    vv = vv + v[i] * v[i]
  end
  return math.sqrt(uv / vv)
end

print(string.format("%.9f", spectral_norm(tonumber(arg[1]) or 200)))
