local function Constant(value) return { kind = "constant", value = value } end
local Variable = { kind = "variable" }
local function Sum(a, b) return { kind = "sum", a = a, b = b } end
local function Product(a, b) return { kind = "product", a = a, b = b } end

local function below(generator, n)
  generator.seed = generator.seed * 16807 % 2147483647
  return generator.seed % n
end

local function expression(generator, depth)
  if depth == 0 then
    if below(generator, 3) == 0 then return Constant(below(generator, 5) - 2.0) end
    return Variable
  end
  local a = expression(generator, depth - 1)
  local b = expression(generator, depth - 1)
  if below(generator, 2) == 0 then return Sum(a, b) end
  return Product(a, b)
end

local function derivative(e)
  local kind = e.kind
  if kind == "constant" then return Constant(0.0) end
  if kind == "variable" then return Constant(1.0) end
  if kind == "sum" then return Sum(derivative(e.a), derivative(e.b)) end
  return Sum(Product(derivative(e.a), e.b), Product(e.a, derivative(e.b)))
end

local function is_constant(e, value) return e.kind == "constant" and e.value == value end

local function simplified(e)
  if e.kind == "sum" then
    local left, right = simplified(e.a), simplified(e.b)
    if is_constant(left, 0.0) then return right end
    if is_constant(right, 0.0) then return left end
    return Sum(left, right)
  end
  if e.kind == "product" then
    local left, right = simplified(e.a), simplified(e.b)
    if is_constant(left, 0.0) or is_constant(right, 0.0) then return Constant(0.0) end
    if is_constant(left, 1.0) then return right end
    if is_constant(right, 1.0) then return left end
    return Product(left, right)
  end
  return e
end

local function value(e, x)
  local kind = e.kind
  if kind == "constant" then return e.value end
  if kind == "variable" then return x end
  if kind == "sum" then return value(e.a, x) + value(e.b, x) end
  return value(e.a, x) * value(e.b, x)
end

local function size(e)
  if e.kind == "sum" or e.kind == "product" then return 1 + size(e.a) + size(e.b) end
  return 1
end

local count = tonumber(arg[1]) or 300
local generator = { seed = 42 }
local nodes, sum = 0, 0.0
for i = 1, count do
  local e = expression(generator, 6)
  local d = simplified(derivative(e))
  nodes = nodes + size(d)
  for k = 0, 9 do sum = sum + value(d, k / 10.0) end
end
print(string.format("%d nodes, %.6f", nodes, sum))
