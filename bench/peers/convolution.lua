local function convolve(from, kernel, to, size)
  for y = 2, size - 3 do
    for x = 2, size - 3 do
      local sum = 0.0
      for dy = 0, 4 do
        for dx = 0, 4 do
          sum = sum + from[(y + dy - 2) * size + x + dx - 1] * kernel[dy * 5 + dx + 1]
        end
      end
      to[y * size + x + 1] = sum
    end
  end
end

local size = tonumber(arg[1]) or 100
local rounds = tonumber(arg[2]) or 4
local kernel = {}
for i = 0, 24 do
  local x, y = i % 5, math.floor(i / 5)
  kernel[i + 1] = (1 + x * (4 - x)) * (1 + y * (4 - y)) / 225.0
end
local now, blurred = {}, {}
for i = 0, size * size - 1 do
  now[i + 1] = i * 7919 % 1000 / 1000.0
  blurred[i + 1] = 0.0
end
for i = 1, math.floor(rounds / 2) do
  convolve(now, kernel, blurred, size)
  convolve(blurred, kernel, now, size)
end
local sum = 0.0
for i = 1, #now do sum = sum + now[i] end
print(string.format("%.6f %.6f", sum / #now, now[size * math.floor(size / 4) + math.floor(size / 2) + 1]))
