local function total(values)
  local sum = 0.0
  for i = 1, #values do sum = sum + values[i] end
  return sum
end

local n = tonumber(arg[1]) or 1000000
local rounds = tonumber(arg[2]) or 10
local values = {}
for i = 0, n - 1 do values[i + 1] = (i % 1000) / 7.0 end
local sum = 0.0
for round = 1, rounds do sum = sum + total(values) end
print(string.format("%.3f", sum))
