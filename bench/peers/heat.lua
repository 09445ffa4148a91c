local function step(from, to, size)
  for row = 1, size - 2 do
    for column = 1, size - 2 do
      local i = row * size + column + 1
      local around = from[i - size] + from[i - 1] + from[i + 1] + from[i + size]
      to[i] = from[i] + 0.2 * (around - 4.0 * from[i])
    end
  end
end

local function plate(size)
  local cells = {}
  for i = 1, size * size do cells[i] = i <= size and 100.0 or 0.0 end
  return cells
end

local size = tonumber(arg[1]) or 100
local steps = tonumber(arg[2]) or 100
local now, next = plate(size), plate(size)
for i = 1, math.floor(steps / 2) do
  step(now, next, size)
  step(next, now, size)
end
local sum = 0.0
for i = 1, #now do sum = sum + now[i] end
print(string.format("%.6f %.6f", sum / #now, now[size * math.floor(size / 4) + math.floor(size / 2) + 1]))
