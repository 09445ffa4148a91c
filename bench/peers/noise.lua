local floor, band, min, max = math.floor, require("bit").band, math.min, math.max
local table_ = {}
local function corner(hash, x, y)
  local t = 0.5 - x * x - y * y
  if t < 0 then return 0 end
  local h = band(hash, 7)
  local u, v
  if h < 4 then u, v = x, y else u, v = y, x end
  local g = (band(h, 1) == 0 and u or -u) + (band(h, 2) == 0 and 2 * v or -2 * v)
  return t * t * t * t * g
end
local G = 0.21132486540518713
local function at(x, y)
  local skew = (x + y) * 0.3660254037844386
  local i, j = floor(x + skew), floor(y + skew)
  local back = (i + j) * G
  local x0, y0 = x - (i - back), y - (j - back)
  local i1 = x0 > y0 and 1 or 0
  local j1 = 1 - i1
  local x1, y1, x2, y2 = x0 - i1 + G, y0 - j1 + G, x0 - 1 + 2 * G, y0 - 1 + 2 * G
  local a, b = band(i, 255), band(j, 255)
  return 40 * (corner(table_[a + table_[b]], x0, y0) + corner(table_[a + i1 + table_[b + j1]], x1, y1) + corner(table_[a + 1 + table_[b + 1]], x2, y2))
end
local size, octaves, seed, p = tonumber(arg[1]) or 200, tonumber(arg[2]) or 5, 42, {}
for i = 0, 255 do p[i] = i end
for i = 0, 254 do
  seed = seed * 16807 % 2147483647
  local k = floor(seed / 64) % (256 - i)
  p[255 - i], p[k] = p[k], p[255 - i]
end
for i = 0, 767 do table_[i] = p[i % 256] end
local h, half = {}, floor(size / 2)
for y = 0, size - 1 do for x = 0, size - 1 do
  local s, amp, f, px, py = 0, 1, 1, (x - half) / 64, (y - half) / 64
  for o = 1, octaves do s = s + amp * at(px * f, py * f); amp = amp * 0.5; f = f * 2 end
  h[y * size + x] = s
end end
local sea, low, high, sum = 0, math.huge, -math.huge, 0
for i = 0, size * size - 1 do
  local v = h[i]
  if v < 0 then sea = sea + 1 end
  low = min(low, v); high = max(high, v); sum = sum + v
end
print(string.format("%d sea, %.6f to %.6f, mean %.9f", sea, low, high, sum / (size * size)))
